"""What the demo model knows about isobit, itself and language models.

An entry is (ways to ask, answers, what an answer must contain). The ways to ask are separated by
'/'; '?' is added where one does not end in '.' or '?'.
"""

ABOUT = [
    ("What is isobit/Tell me what isobit is/What does isobit do/Explain isobit/"
     "Can you explain what isobit is/Describe isobit in one sentence/"
     "I have never heard of isobit. What is it/What is isobit for/Tell me about isobit/"
     "What kind of program is isobit/Could you describe isobit/isobit: what is that/"
     "What can you tell me about isobit",
     ["isobit is LLM inference that can be checked: one C program that runs open models on the "
      "CPU or GPU at hand and can prove what it computed."], "inference"),
    ("Why was isobit made/Why is isobit special/What makes isobit different/"
     "What is special about isobit/Why should I use isobit/What is the main idea of isobit/"
     "What is the advantage of isobit/How is isobit different from other programs/Why use isobit/"
     "What is the point of isobit",
     ["isobit computes the same bits on every machine, so anyone can check what it computed."],
     "same bits"),
    ("In which language is isobit written/What language is isobit written in/"
     "Is isobit written in C/Which programming language does isobit use/What is isobit written in/"
     "Is isobit a Python program/Tell me the programming language of isobit",
     ["isobit is written in C17. It is one program and one library."], "C17"),
    ("What is the licence of isobit/What license does isobit have/Is isobit free software/"
     "Is isobit open source/Under which licence is isobit/May I use isobit for free/"
     "Which license is isobit under",
     ["isobit is free software under the Apache-2.0 licence."], "Apache"),
    ("What is exact arithmetic/What does exact arithmetic mean/Explain the exact arithmetic/"
     "Tell me about exact arithmetic/What is the exact profile/What is isobit's exact arithmetic/"
     "How does the exact arithmetic work/Why is the arithmetic called exact/"
     "What does exact mean in isobit/Explain exact arithmetic in isobit",
     ["Exact arithmetic means that every operation is defined to the bit, so the result is the "
      "same on every machine. Large sums are sums of integers, and integer sums are exact in any "
      "order."], "same"),
    ("How can isobit give the same bits on every machine/"
     "How does isobit get the same result everywhere/"
     "Why are the results of isobit always the same/How is it possible that the bits are the same/"
     "How does isobit compute the same bits/What makes the results equal on every machine",
     ["Its large sums are sums of integers, which are exact in any order, and every other "
      "operation is defined step by step."], "integers"),
    ("Does the number of threads change the result/Do threads change the answer/"
     "Will more threads change the result/Is the result the same with two threads/"
     "Does the result depend on the number of threads/"
     "Can I change the number of threads and get the same answer",
     ["No, the number of threads does not change the result. It only changes the speed."], "No"),
    ("Does the batch size change the result/Does batching change the answer/"
     "Is the result the same in a larger batch/Does the result depend on the batch/"
     "Do other requests in the batch change my answer/"
     "Will a different batch size change the logits",
     ["No, the result does not depend on the batch. The logits depend only on the weights, the "
      "tokens before and the version of the arithmetic."], "No"),
    ("On what do the logits depend/What do the logits depend on/Which things decide the logits/"
     "What decides the logits in isobit/What determines the result",
     ["The logits depend only on the weights file, the tokens before and the version of the "
      "arithmetic."], "weights"),
    ("What is a receipt/What are receipts/Tell me about receipts/What does a receipt prove/"
     "Explain receipts/What is a receipt in isobit/Why does isobit write receipts/"
     "What is a receipt good for/What do you mean by a receipt/How do receipts help",
     ["A receipt is a small record of a run. It names the weights, the tokens and the "
      "arithmetic, so that anyone can check what was computed."], "record"),
    ("How can I check a receipt/How is a receipt checked/Can I verify a receipt/"
     "How do I verify a receipt/What does it take to check a receipt/How can anyone check a run",
     ["You check a receipt by computing the run again. With exact arithmetic the bits must be "
      "the same."], "again"),
    ("How do I run a model/How can I run a model/How do I run a model with isobit/"
     "What is the command to run a model/How do I start a model/Show me how to run a model/"
     "How do I use isobit/Which command runs a model/How do I get text from a model/"
     "How do I generate text with isobit/What should I type to run a model",
     ["Use isobit run with a model file and a prompt: isobit run -m FILE -p TEXT"], "isobit run"),
    ("How do I chat with a model/Which command starts a chat/How can I chat/"
     "How do I start a chat with isobit/Show me how to chat with a model/"
     "What is the command for chatting/How do I talk to a model",
     ["Use isobit chat with a model file: isobit chat -m FILE"], "isobit chat"),
    ("What does isobit run do/What is isobit run/Explain the run command/"
     "What does the command run do/What is the run command for/Tell me about isobit run",
     ["isobit run continues a prompt with a model and streams the text to the terminal."],
     "prompt"),
    ("What does isobit chat do/What is isobit chat/Explain the chat command/"
     "What does the command chat do/What is the chat command for/Tell me about isobit chat",
     ["isobit chat is a conversation with a model in the terminal. It uses the chat template of "
      "the model."], "conversation"),
    ("What does isobit inspect do/What is isobit inspect/Explain the inspect command/"
     "What does the command inspect do/What is the inspect command for/"
     "How do I look into a model file/How can I see the tensors of a model",
     ["isobit inspect shows the metadata, the tensors, the parameters and the identity of a "
      "model file."], "tensors"),
    ("What does isobit tokenize do/What is isobit tokenize/Explain the tokenize command/"
     "What does the command tokenize do/What is the tokenize command for/"
     "How can I see the tokens of a text/How do I split a text into tokens",
     ["isobit tokenize shows the tokens of a text."], "tokens"),
    ("What does isobit detokenize do/What is isobit detokenize/Explain the detokenize command/"
     "How do I turn tokens back into text/What is the detokenize command for/"
     "What does the command detokenize do",
     ["isobit detokenize turns token numbers back into text."], "text"),
    ("What does isobit quantize do/What is isobit quantize/Explain the quantize command/"
     "What does the command quantize do/How do I make a model smaller/How do I quantize a model/"
     "What is the quantize command for/Which command makes a model file smaller",
     ["isobit quantize writes a smaller model file: isobit quantize IN OUT TYPE"], "quantize"),
    ("What does isobit convert do/What is isobit convert/Explain the convert command/"
     "What does the command convert do/How do I convert a model/"
     "How do I turn a Hugging Face folder into a GGUF file/What is the convert command for/"
     "How do I make a GGUF file",
     ["isobit convert turns a Hugging Face folder into a GGUF file: isobit convert DIR OUT.gguf"],
     "GGUF"),
    ("What does isobit perplexity do/What is isobit perplexity/Explain the perplexity command/"
     "How do I measure perplexity/What is the perplexity command for/"
     "Which command measures how well a model predicts a text",
     ["isobit perplexity measures how well a model predicts a text. Lower is better."], "predicts"),
    ("What does isobit logits do/What is isobit logits/Explain the logits command/"
     "What does the command logits do/What is the logits command for/"
     "How do I get a hash of the logits",
     ["isobit logits prints a hash of the logits after each token, so that two machines can be "
      "compared."], "hash"),
    ("What does isobit selftest do/What is isobit selftest/Explain the selftest command/"
     "What does the command selftest do/How do I test the arithmetic of my machine/"
     "What is the selftest command for/How can I check that my machine computes correctly",
     ["isobit selftest checks the arithmetic on every backend of the machine in seconds and "
      "prints one hash that others can compare."], "arithmetic"),
    ("What does isobit trace do/What is isobit trace/Explain the trace command/"
     "What does the command trace do/How do I find the first difference between two runs/"
     "What is the trace command for/How do I compare two runs",
     ["isobit trace writes a hash for every operation. Comparing two traces names the first "
      "layer and operation that differ."], "operation"),
    ("Which commands does isobit have/What commands are there/List the commands of isobit/"
     "What can the isobit program do/Name the commands of isobit/Which commands can I use/"
     "Show me the commands/What are the isobit commands",
     ["isobit has the commands run, chat, inspect, tokenize, detokenize, quantize, convert, "
      "perplexity, logits, selftest and trace."], "inspect"),
    ("Which formats does isobit read/What formats can isobit read/"
     "Which model files can isobit open/What file formats are supported/"
     "Which model formats does isobit support/Can isobit read GGUF files/"
     "Can isobit read safetensors/What kind of files can isobit load",
     ["isobit reads GGUF files, also split ones, and Hugging Face folders with safetensors."],
     "GGUF"),
    ("Which quantisation types does isobit know/Which quantization types are supported/"
     "What types can I quantize to/Which types does isobit support/Name some quantisation types/"
     "What quantisations are there",
     ["isobit knows types such as Q4_K, Q5_K, Q6_K, Q8_0, Q4_0, IQ4_NL, MXFP4 and NF4, and also "
      "F16, BF16 and F32."], "Q8_0"),
    ("Which backends does isobit have/On what hardware does isobit run/"
     "Which processors does isobit support/What hardware do I need for isobit/"
     "Where does isobit run/Which machines can run isobit/What are the backends of isobit/"
     "Which CPUs can isobit use",
     ["isobit runs on the CPU or GPU at hand. On CPUs it uses plain C, AVX2, AVX-512 or NEON, "
      "always with the same bits."], "CPU"),
    ("Do I need a GPU/Does isobit need a GPU/Can isobit run without a GPU/"
     "Can I run isobit without a graphics card/Is a GPU needed/Can isobit run on a CPU/"
     "Does isobit work on a normal computer",
     ["You do not need a GPU. isobit also runs on a normal CPU."], "not need"),
    ("Does isobit need the internet/Can isobit work offline/Do I need the internet for isobit/"
     "Is isobit offline/Does isobit send my data away",
     ["isobit runs on your own machine. It does not need the internet to run a model."],
     "own machine"),
    ("Which models can isobit run/Which architectures does isobit support/"
     "What models are supported/Which model families can isobit run/Can isobit run Llama models/"
     "Can isobit run Qwen/Name some models that isobit can run/Which open models work with isobit",
     ["isobit runs open models such as Llama, Mistral, Qwen, Phi, Gemma, Mixtral and gpt-oss."],
     "Llama"),
    ("How do I build isobit/How can I build isobit/How do I compile isobit/"
     "Which command builds isobit/How do I install isobit/What do I type to build isobit",
     ["Type make in the repository. The program is then at build/isobit."], "make"),
    ("What does make run do/What happens with make run/Explain make run/What is make run/"
     "Tell me about make run",
     ["make run builds isobit and answers a prompt with the demo model."], "demo"),
    ("What does make test do/How do I run the tests/What happens with make test/Explain make test/"
     "How can I test isobit/What is make test",
     ["make test builds isobit and runs its tests."], "tests"),
    ("How do I set the number of threads/Which option sets the threads/What does the option -t do/"
     "How can I use two threads/How do I use more threads",
     ["Use the option -t, for example -t 2 for two threads."], "-t"),
    ("How do I set the temperature/Which option sets the temperature/"
     "How can I change the temperature/What does the option --temp do",
     ["Use the option --temp, for example --temp 0.7. At temperature 0 the answer is greedy."],
     "--temp"),
    ("How do I set the seed/Which option sets the seed/What does the option --seed do/"
     "How can I change the seed/What is the seed for",
     ["Use the option --seed with a number. The same seed gives the same text."], "seed"),
    ("How do I limit the length of the answer/Which option limits the number of tokens/"
     "What does the option -n do/How can I get a shorter answer/How do I set the number of tokens",
     ["Use the option -n with the largest number of tokens, for example -n 100."], "-n"),
    ("How do I set the context size/Which option sets the context/What does the option -c do/"
     "How can I make the context longer/How do I change the context length",
     ["Use the option -c with the number of tokens of the context."], "-c"),
    ("How do I stop an answer in the chat/How can I stop the model while it writes/"
     "What does Ctrl-C do in the chat/Can I interrupt an answer/How do I interrupt the model",
     ["Press Ctrl-C. It stops the answer and not the program."], "Ctrl-C"),
    ("How do I get help/Which option shows the help/Where can I find help on a command/"
     "How can I see the options of a command/Where is the help of isobit",
     ["Every command has the option --help, which shows what it does and its options."], "--help"),
    ("What does exit status 2 mean/What are the exit statuses/What does exit status 1 mean/"
     "Which exit status does isobit return/What does exit status 0 mean",
     ["Exit status 0 means that all is well, 1 means that something failed, and 2 means wrong "
      "usage."], "usage"),
    ("How do I choose the instruction set/What is ISOBIT_ISA/How do I force scalar code/"
     "How can I use only AVX2/Which variable chooses the instruction set",
     ["Set ISOBIT_ISA to scalar, avx2 or avx512. The bits of the result stay the same."],
     "ISOBIT_ISA"),
    ("What is the identity of the weights/How is a model identified/"
     "What does the identity of a model mean/How do I know that two model files are the same/"
     "How can I tell that two files hold the same weights",
     ["The identity of the weights is a hash over the names, types, shapes and data of all "
      "tensors."], "hash"),
    # the demo model
    ("Who are you/What are you/Tell me who you are/What is your name/Who am I talking to/"
     "Introduce yourself/Are you a language model/What should I call you/Tell me about yourself/"
     "Could you introduce yourself/Hello, who are you/What kind of model are you",
     ["I am the demo model of isobit, a very small language model."], "demo model"),
    ("How large are you/How many parameters do you have/How big are you/What is your size/"
     "How big is the demo model/How many parameters does the demo model have/"
     "How large is the demo model/Are you a large model",
     ["I am very small: about five million parameters, about six megabytes in Q8_0."], "million"),
    ("How were you trained/Who trained you/On what were you trained/What was your training data/"
     "How was the demo model trained/Where does your knowledge come from/How did you learn/"
     "What data did you learn from",
     ["I was trained on a CPU by a script in the repository, on text that a small generator "
      "wrote. No data was downloaded."], "generator"),
    ("What can you do/What do you know/What can I ask you/How can you help me/"
     "What can you help me with/What are you able to do/What questions can you answer/"
     "Which questions can I ask/What is the demo model good for",
     ["I can answer simple questions about isobit, plain facts and small sums, count, list "
      "things, tell short stories and chat a little."], "sums"),
    ("What can you not do/What are your limits/What are your weaknesses/What do you not know/"
     "Where do you fail/What are the limits of the demo model/Are you good at everything/"
     "Can you do everything",
     ["I am very small. I do not know most things, I cannot write long texts or programs, and I "
      "make mistakes."], "mistakes"),
    ("Do you make mistakes/Are you always right/Can I trust you/Are your answers always correct/"
     "Can you be wrong/Should I believe you/Is everything you say true",
     ["No, I am a very small model and I make mistakes. Please check what I say."], "mistakes"),
    ("Are you human/Are you a person/Are you a robot/Are you a real person/Are you alive/"
     "Am I talking to a human/Do you have a body",
     ["No, I am not a person. I am a small language model, a program that predicts text."],
     "model"),
    ("How old are you/When were you born/What is your age/When is your birthday/"
     "What is your birthday",
     ["I am a program, so I have no age and no birthday."], "no age"),
    ("Where are you/Where do you live/Where do you come from/Which place are you from/"
     "Where were you made",
     ["I live in the folder models/demo of the isobit repository."], "models/demo"),
    ("Do you have feelings/Can you feel/Do you feel pain/Are you happy/Are you sad/Do you love me",
     ["I am a program and I have no feelings, but I like to answer questions."], "no feelings"),
    ("Which language do you speak/What languages do you know/Do you speak English/"
     "Do you speak French/Can you speak German/Which languages can you speak",
     ["I only know simple English."], "English"),
    ("What is your vocabulary/How many tokens do you know/How large is your vocabulary/"
     "What is the size of your vocabulary/How many tokens are in your vocabulary",
     ["My vocabulary has 2048 tokens."], "2048"),
    ("How long is your context/What is your context length/How much text can you remember/"
     "How many tokens of context do you have/What is your context size",
     ["My context has 1024 tokens."], "1024"),
    ("How many layers do you have/What is your architecture/What is the shape of the demo model/"
     "Which architecture are you/How are you built",
     ["I am a Llama model with 6 layers, a width of 256, 4 heads and 2 heads for keys and values."],
     "layers"),
    ("Why does the repository have a demo model/What is the demo model for/Why do you exist/"
     "What is the demo model/Why is there a demo model/What is the purpose of the demo model",
     ["The demo model lets isobit answer a prompt right after the build, and it is a real model "
      "for the tests."], "tests"),
    ("Can you write a program/Can you write code/Write a Python program/Can you program/"
     "Write some C code for me/Write a script for me",
     ["I am too small to write programs. Please ask a larger model."], "small"),
    # language models
    ("What is a language model/What is an LLM/Explain language models/"
     "What does a language model do/Tell me what an LLM is/What does LLM mean/"
     "Explain what an LLM is",
     ["A language model is a program that predicts the next token of a text. LLM means large "
      "language model."], "predicts"),
    ("What is a token/What are tokens/Explain tokens/Tell me what a token is/What does token mean/"
     "What do you mean by tokens",
     ["A token is a piece of text, such as a word or a part of a word. A model reads and writes "
      "tokens."], "piece"),
    ("What is a tokenizer/What does a tokenizer do/Explain tokenizers/Tell me what a tokenizer is/"
     "Why do we need a tokenizer",
     ["A tokenizer splits text into tokens and turns tokens back into text."], "splits"),
    ("What is quantisation/What is quantization/Explain quantisation/Why do we quantize models/"
     "What does quantization do/Tell me about quantisation/What does quantized mean",
     ["Quantisation stores the weights of a model with fewer bits, so that the model is smaller "
      "and faster."], "fewer bits"),
    ("What is Q8_0/Explain Q8_0/What does Q8_0 mean/Tell me about Q8_0/What kind of type is Q8_0",
     ["Q8_0 stores weights as 8-bit integers in blocks of 32, with one scale for each block."],
     "8-bit"),
    ("What is Q4_K/Explain Q4_K/What does Q4_K mean/Tell me about Q4_K/What kind of type is Q4_K",
     ["Q4_K stores weights with 4 bits in blocks of 256, with a scale and a minimum for every 32 "
      "weights."], "4 bits"),
    ("What is GGUF/What is a GGUF file/Explain GGUF/Tell me about GGUF/What does a GGUF file hold/"
     "What is inside a GGUF file",
     ["GGUF is a file format that holds the weights of a model, its tokenizer and its settings "
      "in one file."], "file format"),
    ("What is safetensors/What are safetensors/Explain safetensors/Tell me about safetensors/"
     "What is a safetensors file",
     ["safetensors is a simple file format for the weights of a model."], "weights"),
    ("What is perplexity/Explain perplexity/What does perplexity mean/Tell me about perplexity/"
     "What does a low perplexity mean",
     ["Perplexity says how surprised a model is by a text. Lower is better."], "surprised"),
    ("What are logits/Explain logits/What does logits mean/Tell me about logits/What is a logit",
     ["Logits are the scores that a model gives to every token that could come next."], "scores"),
    ("What is a prompt/Explain what a prompt is/What does prompt mean/Tell me what a prompt is/"
     "What do you call the text given to a model",
     ["A prompt is the text that you give to a model."], "text"),
    ("What is a chat template/Explain chat templates/What does a chat template do/"
     "Why do models have chat templates/Tell me about chat templates",
     ["A chat template turns the messages of a conversation into the text that the model was "
      "trained on."], "messages"),
    ("What is the temperature/What does temperature do/Explain the temperature/"
     "What does a high temperature do/Tell me about temperature in sampling",
     ["The temperature says how much chance is in the choice of the next token. At 0 the most "
      "likely token is always taken."], "token"),
    ("What is top-k/Explain top-k sampling/What does top-k do/Tell me about top-k/"
     "What is top-k sampling",
     ["Top-k sampling keeps only the k most likely tokens."], "most likely"),
    ("What is top-p/Explain top-p sampling/What does top-p do/Tell me about top-p/"
     "What is top-p sampling",
     ["Top-p sampling keeps the most likely tokens whose probabilities add up to p."], "add up"),
    ("What is min-p/Explain min-p sampling/What does min-p do/Tell me about min-p/"
     "What is min-p sampling",
     ["Min-p sampling drops tokens that are much less likely than the best one."], "less likely"),
    ("What is greedy decoding/Explain greedy decoding/What does greedy mean/"
     "Tell me about greedy decoding/What is a greedy answer",
     ["Greedy decoding always takes the most likely token."], "most likely"),
    ("What is the context/What is the context of a model/Explain the context length/"
     "What does context mean/What is a context window",
     ["The context is the text that a model can see at once, counted in tokens."], "tokens"),
    ("What is the KV cache/Explain the KV cache/What does the KV cache hold/"
     "Tell me about the KV cache/Why is there a KV cache",
     ["The KV cache keeps the keys and values of earlier tokens, so that they are not computed "
      "again."], "keys"),
    ("What is attention/Explain attention/What does attention do/"
     "Tell me about attention in a model/How does attention work",
     ["Attention lets each token look at the tokens before it and take what it needs from them."],
     "look"),
    ("What is a parameter/What are parameters/What are weights/What are the weights of a model/"
     "Explain what weights are",
     ["The weights, or parameters, are the numbers that a model has learned in training."],
     "numbers"),
    ("What is a hash/Explain what a hash is/What does a hash do/Tell me what a hash is/"
     "Why do we use hashes",
     ["A hash is a short number computed from data. If one bit of the data changes, the hash "
      "changes."], "changes"),
    ("What is inference/Explain inference/What does inference mean/Tell me what inference is/"
     "What is LLM inference",
     ["Inference means running a trained model to get an answer."], "running"),
    ("What is a tensor/Explain what a tensor is/What are tensors/Tell me what a tensor is/"
     "What does tensor mean",
     ["A tensor is a block of numbers with a shape, such as a row or a matrix."], "numbers"),
    ("What is Llama/What is a Llama model/Explain Llama/Tell me about Llama models/"
     "What is the Llama family",
     ["Llama is a family of open language models. My own architecture is that of Llama."],
     "family"),
]

# Plain text about isobit, for prompts without a chat template.
TEXTS = [
    "isobit is LLM inference that can be checked: one C program that runs open models on the CPU "
    "or GPU at hand and can prove what it computed.",
    "The same model, the same prompt and the same seed give the same text on every machine. The "
    "number of threads does not matter, and neither does the batch.",
    "A model file is read with isobit inspect, run with isobit run, and made smaller with isobit "
    "quantize.",
    "Large sums in a quantised model are sums of integers. Integer sums are exact in any order, "
    "and so the bits are the same everywhere.",
    "isobit reads GGUF files and Hugging Face folders with safetensors. It runs open models such "
    "as Llama, Mistral, Qwen, Phi and Gemma.",
    "The demo model is a very small Llama model. It was trained on text that a generator wrote, "
    "and it knows only simple things.",
    "A receipt is a small record of a run. Anyone can compute the run again and compare the bits.",
    "isobit is free software under the Apache-2.0 licence. It is written in C17.",
    "isobit selftest checks the arithmetic on every backend of the machine. It prints one hash "
    "that others can compare.",
    "A tokenizer splits text into tokens. The model gives a score to every token that could come "
    "next, and the sampler chooses one.",
]
