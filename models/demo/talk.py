"""Small talk of the demo model, what it can be told and asked again, and what it cannot know."""

from facts import COUNTRIES

NAMES = ("""
Anna Ben Clara David Emma Felix Grace Henry Ines Jonas Karin Leo Maria Nina Oscar Paula Quentin
Rosa Samuel Tina Ursula Victor Wanda Xavier Yara Zoe Ahmed Amina Carlos Chen Fatima Hiro Ivan Kofi
Lin Mateo Mei Omar Priya Ravi Sofia Tariq Yuki Alice Bob Carol Daniel Eva Frank Greta Hugo Ida
Jack Kate Laura Max Nora Otto Peter Ruth Sarah Tom Lucy Mark Julia Paul John Jane Mary James
""").split()
VALUES = {
    "colour": "red blue green yellow orange purple pink black white brown grey turquoise".split(),
    "animal": "dog cat horse rabbit parrot turtle hamster goldfish mouse pony snake lizard".split(),
    "city": [c[1] for c in COUNTRIES],
}
# slot: ways to tell, reply, ways to ask for it, answer, answer when it was never told
MEMORY = {
    "name": ([
        "My name is {}.", "I am {}.", "Hello, my name is {}.", "Hi, I'm {}.", "You can call me {}.",
        "People call me {}.", "Good morning, I am {}.", "Call me {}."
    ], "Nice to meet you, {}.", [
        "What is my name?", "Do you remember my name?", "Who am I?", "What's my name?",
        "Can you tell me my name?", "Do you still know my name?", "What did I say my name was?",
        "Tell me my name."
    ], "Your name is {}.", "I do not know your name. You have not told me."),
    "colour": ([
        "My favourite colour is {}.", "I like {} best of all colours.", "My favorite color is {}.",
        "The colour I like most is {}.", "Of all colours I love {}.",
        "I think {} is the best colour."
    ], "I will remember that your favourite colour is {}.", [
        "What is my favourite colour?", "Which colour do I like?", "What is my favorite color?",
        "Which colour do I like most?", "Do you remember my favourite colour?",
        "What colour do I love?"
    ], "Your favourite colour is {}.",
               "I do not know your favourite colour. You have not told me."),
    "animal": ([
        "I have a {}.", "I have a pet {}.", "My pet is a {}.", "At home I have a {}.",
        "There is a {} in my house.", "I own a {}."
    ], "How nice that you have a {}!", [
        "Which animal do I have?", "What pet do I have?", "What is my pet?", "Which pet do I have?",
        "Do you remember my pet?", "What kind of animal do I have at home?"
    ], "You have a {}.", "I do not know your pet. You have not told me."),
    "city": ([
        "I live in {}.", "I live in the city of {}.", "My home is in {}.", "I have a house in {}.",
        "You can find me in {}.", "My house is in {}."
    ], "I hope that you like {}.", [
        "Where do I live?", "Where is my house?", "In which city do I live?", "Where is my home?",
        "What is my home town?", "Do you know where I live?"
    ], "You live in {}.", "I do not know where you live. You have not told me."),
}
SMALL_TALK = [
    ([
        "Hello!", "Hi!", "Hello", "Hi there!", "Hey!", "Good day!", "Hi", "Hello there.", "Hey",
        "Greetings!"
    ], "Hello! How can I help you?"),
    (["Good morning!", "Good morning.", "Morning!",
      "A good morning to you."], "Good morning! How can I help you?"),
    (["Good evening!", "Good evening.", "Evening!",
      "A good evening to you."], "Good evening! How can I help you?"),
    ([
        "How are you?", "How are you doing?", "How do you do?", "Are you well?", "How is it going?",
        "How are you today?", "What's up?", "How do you feel today?"
    ], "I am well, thank you. How can I help you?"),
    ([
        "Thank you!", "Thanks!", "Thank you very much.", "Thanks a lot!", "Thank you.",
        "Many thanks!", "Thanks", "Great, thanks."
    ], "You are welcome!"),
    ([
        "Goodbye!", "Bye!", "See you!", "Bye bye.", "See you later.", "I have to go now.", "Bye",
        "Until next time!"
    ], "Goodbye! Have a nice day."),
    (["Good night!", "Good night.", "I am going to bed.",
      "Sleep well!"], "Good night! Sleep well."),
    ([
        "You are great!", "Well done!", "Good job!", "You are clever.", "I like you.",
        "That was helpful.", "Very good!", "Nice answer."
    ], "Thank you! I am glad that I could help."),
    ([
        "That is wrong.", "You are wrong.", "No, that is not right.", "That was a mistake.",
        "This is not correct.", "I think you are wrong."
    ], "I am sorry. I am a very small model and I make mistakes."),
    ([
        "I am sad.", "I am sad today.", "I feel bad.", "I had a bad day.", "I am not happy.",
        "Today was a hard day."
    ], "I am sorry to hear that. I hope that tomorrow is better."),
    ([
        "I am happy.", "I am happy today.", "I feel great!", "I had a good day.",
        "Today was a good day.", "I feel very well."
    ], "I am glad to hear that!"),
    (["I am tired.", "I am so tired.", "I need some sleep.",
      "I want to sleep."], "Then a little rest may help you."),
    (["I am hungry.", "I want to eat something.", "I need some food.",
      "I am so hungry."], "Then it is time to eat something good."),
    (["I am bored.", "I have nothing to do.", "What shall we do?",
      "I feel bored."], "I can tell you a short story. Just ask me."),
    ([
        "Can you help me?", "I need help.", "Please help me.", "Help!", "Could you help me?",
        "I need some help."
    ], "Of course. What would you like to know?"),
    (["OK.", "I see.", "Okay", "All right.", "Fine.",
      "Understood."], "Good. What else would you like to know?"),
    (["Yes.", "Yes", "Yes, please.", "Sure."], "Good. What would you like to know?"),
    (["No.", "No", "No, thank you.", "Not now."], "All right. Just ask when you need something."),
    (["Are you there?", "Can you hear me?", "Are you awake?",
      "Is anyone there?"], "Yes, I am here. How can I help you?"),
    (["Sorry!", "I am sorry.", "My mistake.", "Sorry, I was wrong."], "That is all right."),
]
UNKNOWN = [
    "What is the weather today?", "Will it rain tomorrow?", "What time is it?",
    "What is the date today?", "Who won the game yesterday?", "Who is the president now?",
    "What is in the news?", "How much does a house cost?", "What is my phone number?",
    "What will happen next year?", "What is the price of gold today?", "How is the stock market?",
    "Where are my keys?", "What did I eat yesterday?", "Who will win the election?",
    "What is the best restaurant in town?", "How do I fix my car?", "What medicine should I take?",
    "Who is my neighbour?", "What am I thinking?", "What year is it?", "How is the traffic?",
    "Who won the football match?", "What is on television tonight?", "Which stocks should I buy?",
    "How old am I?", "What is the meaning of this painting?", "What does my boss want?",
    "When does the next train leave?", "How warm is it outside?",
    "What is the square root of 7919?", "Who is the richest person?", "Translate this book for me.",
    "What is quantum field theory?", "How do I file my taxes?", "Is my friend at home?",
    "What day is it today?", "Which film should I see tonight?"
]
