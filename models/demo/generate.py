#!/usr/bin/env python3
"""Writes the text that the demo model is trained on, and the questions that test it.

Everything comes from the tables here, in facts.py and in about.py, and from one seed; nothing is
downloaded. A document is a list of (text, weight): weight says how much the loss counts there.
Held out of training, used only in tests: every sixth way to ask (where there are six or more),
a tenth of all pairs of numbers that are added or subtracted, and the questions of hand.py.

  generate.py sample [-n N] [--seed S]     prints documents
  generate.py eval [--seed S]              prints eval.jsonl
"""

import argparse
import json
import random
import zlib

from about import ABOUT, TEXTS
from facts import RELATIONS, SINGLES, CAPITALS, COUNTRIES
from hand import HAND
from tasks import TASKS, story

END = "<|endoftext|>"
WEIGHT_PROMPT, WEIGHT_ANSWER, WEIGHT_TEXT, WEIGHT_SUM = 0.1, 1.0, 0.4, 0.02
SYSTEMS = ["You are a helpful assistant.", "You are the isobit demo model.", "Answer in short sentences.",
           "You are a small and friendly model.", "You answer questions about isobit and plain facts.",
           "Be brief.", "You are a chat model that runs in isobit."]
ONE_WORD = ["Answer in one word.", "One word only, please.", "Just one word.", "Reply with one word."]


def held(asks):
    """The ways to ask that training never sees."""
    return asks[5::6]


def kept(asks):
    return [a for i, a in enumerate(asks) if i % 6 != 5]


def pair_is_held(op, a, b):
    """A tenth of the sums; a + b and b + a go together."""
    if op == "+":
        a, b = min(a, b), max(a, b)
    return zlib.crc32(f"{op} {a} {b}".encode()) % 10 == 0


def capital(text):
    return text[:1].upper() + text[1:]


def article(word):
    if not word or word.startswith(("a ", "an ", "the ")):
        return word
    return ("an " if word[0].lower() in "aeiou" else "a ") + word


def fill(pattern, a, b):
    values = {"a": a, "b": b, "A": capital(a), "B": capital(b), "an_a": article(a),
              "an_b": article(b), "An_a": capital(article(a))}
    text = pattern.format(**values).replace("..", ".").replace(".?", "?")
    return text


def question(pattern):
    """A way to ask, with its full stop or question mark."""
    if pattern[-1] in ".?":
        return pattern
    return pattern + ("." if pattern.split()[0] in ORDERS else "?")


ORDERS = set("Tell Name List Explain Describe Show Write Introduce Give".split())


class Writer:
    """One stream of documents. `test` selects the held-out ways to ask and pairs."""

    def __init__(self, seed, test=False):
        self.r = random.Random(seed)
        self.test = test
        weights = [r.weight * (len(r.pairs) ** 0.5) for r in RELATIONS]
        self.relation_weights = weights

    def pick(self, asks):
        pool = held(asks) if self.test and len(asks) > 5 else kept(asks)
        return self.r.choice(pool)

    def unseen_pair(self, op, low, high, fits):
        """Two numbers in low..high that fit, on this writer's side of the held-out border."""
        while True:
            a, b = self.r.randint(low, high), self.r.randint(low, high)
            if fits(a, b) and pair_is_held(op, a, b) == self.test:
                return a, b

    # --- facts -------------------------------------------------------------------------------

    def relation(self, rel=None):
        rel = rel or self.r.choices(RELATIONS, self.relation_weights)[0]
        a, b = self.r.choice(rel.pairs)
        kind = self.r.random()
        if rel.checks and kind < 0.15:
            return self.check(rel, a, b)
        if rel.back_asks and kind < 0.32:
            ask, answer = self.pick(rel.back_asks), rel.back_answers[0]
            same = [p[0] for p in rel.pairs if p[1] == b]
            a = same[0]
            return fill(ask, a, b), fill(answer, a, b), [a.removeprefix("the ")]
        ask = fill(self.pick(rel.asks), a, b)
        if " " not in b and kind > 0.94 and not self.test:
            return f"{ask} {self.r.choice(ONE_WORD)}", capital(b) + ".", [b]
        return ask, capital(fill(self.r.choice(rel.answers), a, b)), [b]

    def check(self, rel, a, b):
        ask = self.r.choice(rel.checks)
        inside = rel.answers[0].replace("{A}", "{a}").replace("The ", "the ")
        if self.r.random() < 0.5:
            return fill(ask, a, b), "Yes, " + fill(inside, a, b), ["Yes"]
        wrong = self.r.choice([p[1] for p in rel.pairs if p[1] != b])
        if any(p == (a, wrong) for p in rel.pairs):
            return self.check(rel, a, b)
        return fill(ask, a, wrong), "No, " + fill(inside, a, b), ["No", b]

    def single(self, entry=None):
        asks, answer, key = entry or self.r.choice(SINGLES)
        return question(self.pick(asks.split("/"))), answer, [key]

    def about(self, entry=None):
        asks, answers, key = entry or self.r.choice(ABOUT)
        return question(self.pick(asks.split("/"))), self.r.choice(answers), [key]

    # --- numbers -----------------------------------------------------------------------------

    def sum(self):
        kind = self.r.random()
        if kind < 0.36:
            return self.add()
        if kind < 0.66:
            return self.subtract()
        if kind < 0.78:
            return self.times()
        if kind < 0.88:
            return self.compare()
        return self.number_fact() if kind < 0.95 else self.word_problem()

    def add(self):
        a, b = self.unseen_pair("+", 0, 99, lambda x, y: x + y <= 100)
        ask = self.pick(["What is {a} + {b}?", "What is {a} plus {b}?", "{a} + {b} = ?", "How much is {a} + {b}?",
                         "Add {a} and {b}.", "Calculate {a} plus {b}.", "How much is {a} plus {b}?", "{a} plus {b}",
                         "What do you get when you add {a} and {b}?", "{a}+{b}", "What's {a} + {b}?",
                         "Can you work out {a} + {b}?", "What is the sum of {a} and {b}?", "Calculate {a} + {b}."])
        return ask.format(a=a, b=b), f"{a} plus {b} is {a + b}.", [f"is {a + b}."]

    def subtract(self):
        a, b = self.unseen_pair("-", 0, 100, lambda x, y: x >= y)
        ask = self.pick(["What is {a} - {b}?", "What is {a} minus {b}?", "{a} - {b} = ?", "How much is {a} - {b}?",
                         "Take {b} from {a}.", "Calculate {a} minus {b}.", "How much is {a} minus {b}?", "{a} minus {b}",
                         "Subtract {b} from {a}.", "{a}-{b}", "What's {a} - {b}?", "Can you work out {a} - {b}?",
                         "Calculate {a} - {b}."])
        return ask.format(a=a, b=b), f"{a} minus {b} is {a - b}.", [f"is {a - b}."]

    def times(self):
        a, b = self.r.randint(0, 12), self.r.randint(0, 12)
        if self.r.random() < 0.3 and b > 0:
            ask = self.pick(["What is {a} / {b}?", "What is {a} divided by {b}?", "How much is {a} divided by {b}?",
                             "Divide {a} by {b}.", "Calculate {a} / {b}.", "How much is {a} / {b}?"])
            return ask.format(a=a * b, b=b), f"{a * b} divided by {b} is {a}.", [f"is {a}."]
        ask = self.pick(["What is {a} * {b}?", "What is {a} times {b}?", "{a} * {b} = ?", "How much is {a} times {b}?",
                         "Multiply {a} by {b}.", "Calculate {a} times {b}.", "What is {a} x {b}?", "{a} times {b}",
                         "What's {a} times {b}?", "What is the product of {a} and {b}?"])
        return ask.format(a=a, b=b), f"{a} times {b} is {a * b}.", [f"is {a * b}."]

    def compare(self):
        a, b = self.r.sample(range(101), 2)
        low, high = min(a, b), max(a, b)
        kind = self.r.randrange(3)
        if kind == 0:
            ask = self.pick(["Which is larger, {a} or {b}?", "Which number is bigger, {a} or {b}?", "What is more, {a} or {b}?",
                             "Is {a} or {b} larger?", "Which is greater, {a} or {b}?", "Which of {a} and {b} is larger?"])
            return ask.format(a=a, b=b), f"{high} is larger than {low}.", [f"{high} is larger"]
        if kind == 1:
            ask = self.pick(["Which is smaller, {a} or {b}?", "Which number is smaller, {a} or {b}?", "What is less, {a} or {b}?",
                             "Is {a} or {b} smaller?", "Which is less, {a} or {b}?", "Which of {a} and {b} is smaller?"])
            return ask.format(a=a, b=b), f"{low} is smaller than {high}.", [f"{low} is smaller"]
        ask = self.pick(["Is {a} larger than {b}?", "Is {a} greater than {b}?", "Is {a} bigger than {b}?", "Is {a} more than {b}?"])
        if a > b:
            return ask.format(a=a, b=b), f"Yes, {a} is larger than {b}.", ["Yes"]
        return ask.format(a=a, b=b), f"No, {a} is smaller than {b}.", ["No"]

    def number_fact(self):
        n, kind = self.r.randint(1, 99), self.r.randrange(5)
        if kind == 0:
            ask = self.pick(["What comes after {n}?", "Which number comes after {n}?", "What is the next number after {n}?",
                             "Which number follows {n}?", "What number is after {n}?", "Tell me the number after {n}."])
            return ask.format(n=n), f"The number after {n} is {n + 1}.", [f"is {n + 1}."]
        if kind == 1:
            ask = self.pick(["What comes before {n}?", "Which number comes before {n}?", "What number is before {n}?",
                             "Tell me the number before {n}.", "Which number is just before {n}?", "What is the number before {n}?"])
            return ask.format(n=n), f"The number before {n} is {n - 1}.", [f"is {n - 1}."]
        if kind == 2:
            ask = self.pick(["Is {n} even or odd?", "Is {n} an even number?", "Is {n} odd or even?", "Is {n} an odd number?"])
            word = "odd" if n % 2 else "even"
            return ask.format(n=n), f"{n} is {article(word)} number.", [f"{word} number"]
        if kind == 3:
            n = self.r.randint(1, 50)
            ask = self.pick(["What is half of {n}?", "What is the half of {n}?", "How much is half of {n}?", "Halve {n}.",
                             "Tell me half of {n}.", "Give me half of {n}."])
            return ask.format(n=2 * n), f"Half of {2 * n} is {n}.", [f"is {n}."]
        n = self.r.randint(1, 50)
        ask = self.pick(["What is the double of {n}?", "What is twice {n}?", "Double {n}.", "How much is twice {n}?",
                         "What is two times {n}?", "How much is the double of {n}?"])
        return ask.format(n=n), f"Twice {n} is {2 * n}.", [f"is {2 * n}."]

    def word_problem(self):
        things = self.r.choice("apples books coins stamps cakes pencils marbles flowers eggs stones nuts cards".split())
        who = self.name()
        if self.r.random() < 0.5:
            a, b = self.unseen_pair("+", 1, 30, lambda x, y: True)
            ask = self.pick(["I have {a} {t} and get {b} more. How many {t} do I have?",
                             "{w} has {a} {t} and buys {b} more. How many {t} does {w} have?",
                             "There are {a} {t} in a box. I add {b} {t}. How many are there?",
                             "{w} finds {a} {t} and then {b} more {t}. How many is that?",
                             "If I have {a} {t} and you give me {b}, how many do I have?",
                             "{w} had {a} {t} and was given {b} more. How many {t} now?"])
            return ask.format(a=a, b=b, t=things, w=who), f"{a} plus {b} is {a + b}, so that makes {a + b} {things}.", \
                [f"is {a + b}"]
        a, b = self.unseen_pair("-", 1, 40, lambda x, y: x > y)
        ask = self.pick(["I have {a} {t} and give away {b}. How many {t} are left?",
                         "{w} has {a} {t} and loses {b}. How many {t} are left?",
                         "There are {a} {t} in a box. I take {b} out. How many are left?",
                         "{w} had {a} {t} and sold {b}. How many remain?",
                         "If I have {a} {t} and you take {b}, how many do I have?",
                         "{w} had {a} {t} and gave {b} of them to a friend. How many {t} now?"])
        return ask.format(a=a, b=b, t=things, w=who), f"{a} minus {b} is {a - b}, so {a - b} {things} are left.", \
            [f"is {a - b}"]

    # --- chat --------------------------------------------------------------------------------

    def made_up(self, syllables=None):
        n = syllables or self.r.randint(2, 3)
        parts = [self.r.choice("b br c d dr f fl g gr h j k kr l m n p pr r s st t tr v w z".split())
                 + self.r.choice("a e i o u ai ee".split()) + self.r.choice(["", "", "n", "r", "l", "s", "m", "th", "x"])
                 for _ in range(n)]
        return "".join(parts).capitalize()

    def name(self):
        if self.r.random() < 0.3:
            return self.made_up(2)
        return self.r.choice(NAMES)

    def unknown(self):
        kind = self.r.randrange(4)
        if kind == 0:
            place = self.made_up()
            ask = self.pick(CAPITALS.asks)
            return fill(ask, place, ""), f"I do not know the capital of {place}.", ["not know"]
        if kind == 1:
            who = f"{self.made_up(2)} {self.made_up(2)}"
            ask = self.pick(["Who is {w}?", "Who was {w}?", "Tell me about {w}.", "What do you know about {w}?",
                             "Do you know {w}?", "What did {w} do?", "When was {w} born?"])
            return ask.format(w=who), f"I do not know who {who} is.", ["not know"]
        if kind == 2:
            what = self.made_up().lower()
            ask = self.pick(["What is a {w}?", "What does {w} mean?", "Explain {w}.", "What is {w}?", "Tell me what a {w} is.",
                             "Do you know what {w} means?", "What colour is a {w}?"])
            return ask.format(w=what), f"I do not know what {what} means.", ["not know"]
        return self.pick(UNKNOWN), "I am sorry, I do not know that. I am only a small model.", ["not know"]

    def social(self, memory):
        """Small talk. memory holds what the user has told: name, colour, animal, city."""
        r = self.r
        kind = r.random()
        if kind < 0.3:
            asks, answer = r.choice(SMALL_TALK)
            return self.pick(asks), answer, []
        slot = r.choices(list(MEMORY), [4, 2, 1, 1])[0]
        tell, reply, recall, told, lacking = MEMORY[slot]
        if slot in memory or (kind > 0.88 and not self.test):
            if slot in memory:
                return self.pick(recall), told.format(memory[slot]), [memory[slot]]
            return self.pick(recall), lacking, ["not know"]
        value = self.name() if slot == "name" else self.made_up() if slot == "city" and r.random() < 0.3 \
            else r.choice(VALUES[slot])
        memory[slot] = value
        return self.pick(tell).format(value), reply.format(value), [value]

    def follow(self):
        """A question that needs the one before: "And Spain?"."""
        rel = self.r.choice([r for r in RELATIONS if r.follow])
        (a, b), (c, d) = self.r.sample(rel.pairs, 2)
        first = fill(self.pick(rel.asks), a, b), capital(fill(rel.answers[0], a, b)), [b]
        ask = self.pick(["And {c}?", "What about {c}?", "And of {c}?", "How about {c}?", "And for {c}?", "Now {c}?"])
        return first, (ask.format(c=c), capital(fill(rel.answers[0], c, d)), [d])

    def exchange(self, memory):
        kind = self.r.random()
        if kind < 0.34:
            return self.rough(self.relation())
        if kind < 0.43:
            return self.rough(self.single())
        if kind < 0.62:
            return self.rough(self.about())
        if kind < 0.80:
            return self.rough(self.sum())
        if kind < 0.87:
            return self.r.choice(TASKS)(self)
        if kind < 0.94:
            return self.social(memory)
        return self.unknown()

    def chat(self, n):
        """n question and answer pairs."""
        turns, memory = [], {}
        if n > 3 and self.r.random() < 0.8:
            turns.append(self.social(memory))
        while len(turns) < n:
            if n - len(turns) > 1 and self.r.random() < 0.12:
                turns.extend(self.follow())
            elif memory and self.r.random() < 0.12:
                turns.append(self.social(memory))
            elif turns and self.r.random() < 0.02:
                turns.append((self.r.choice(["What did I just ask?", "What was my last question?"]),
                              f'You said: "{turns[-1][0]}"', []))
            else:
                turns.append(self.exchange(memory))
        return [(self.noise(q), a) for q, a, _ in turns]

    def rough(self, turn):
        """Sometimes a hasty question: only the words that matter, or two letters swapped."""
        q, x = turn[0], self.r.random()
        if x < 0.12:
            words = [w for w in q.split() if w.lower().strip("?.") not in FILLERS or self.r.random() < 0.2]
            q = " ".join(words) or q
        elif x < 0.15:
            words = q.split()
            i = self.r.randrange(len(words))
            word = words[i]
            if len(word) > 4 and word.isalpha():
                k = self.r.randrange(1, len(word) - 2)
                words[i] = word[:k] + word[k + 1] + word[k] + word[k + 2:]
            q = " ".join(words)
        elif x < 0.22:
            q = self.r.choice(["I wonder: ", "My friend asks: ", "Can you answer this? ", "I forgot this. ", "Could you help me? ",
                               "Say, ", "Let me ask you: ", "I have a question. "]) + q
        return (q, *turn[1:])

    def noise(self, q):
        """What people do to a question: polite words, no capital, no question mark."""
        x = self.r.random()
        if x < 0.12:
            q = self.r.choice(["Please: ", "Hello. ", "Hi! ", "A question: ", "Hey, ", "OK. ", "Thanks. ", "Next: ", "So, ",
                               "Quick question: ", "Tell me: ", "Dear model, "]) + q
        elif x < 0.16:
            q += self.r.choice([" Please.", " Thanks!", " Thank you.", " Tell me.", " Do you know?"])
        x = self.r.random()
        if x < 0.12:
            q = q[0].lower() + q[1:]
        if x < 0.06 or 0.12 < x < 0.18:
            q = q.rstrip("?.")
        elif x > 0.97:
            q = q.lower()
        return q

    # --- documents ---------------------------------------------------------------------------

    def document(self, long=False):
        kind = self.r.random()
        if kind < 0.68 or long:
            n = self.r.randint(10, 24) if long else self.r.choices([1, 2, 3, 4, 6], [8, 5, 3, 2, 1])[0]
            system = self.r.choice(SYSTEMS) if self.r.random() < 0.35 else None
            return chat_text(self.chat(n), system)
        if kind < 0.86:
            return self.number_text()
        if kind < 0.92:
            return [(" ".join(f"{q} {a}" for q, a in self.chat(self.r.randint(1, 3))) + END, WEIGHT_TEXT)]
        if kind < 0.96:
            facts = []
            for _ in range(self.r.randint(2, 6)):
                rel = self.r.choices(RELATIONS, self.relation_weights)[0]
                facts.append(capital(fill(rel.answers[0], *self.r.choice(rel.pairs))))
            return [(" ".join(facts) + END, WEIGHT_TEXT)]
        if kind < 0.98:
            return [(" ".join(self.r.sample(TEXTS, self.r.randint(1, 4))) + END, WEIGHT_TEXT)]
        return [(story(self) + END, WEIGHT_TEXT)]

    def number_text(self):
        """Many sums in a row, in words or signs; the loss counts the results."""
        parts = []
        sign = self.r.random() < 0.4
        for _ in range(self.r.randint(8, 20)):
            x = self.r.random()
            answer = self.add()[1] if x < 0.45 else self.subtract()[1] if x < 0.85 else self.times()[1]
            if sign:
                for word, mark in SIGNS:
                    answer = answer.replace(word, mark)
            left, mark, result = answer.rpartition(" = " if sign else " is ")
            parts += [((" " if parts else "") + left + mark, WEIGHT_SUM), (result, WEIGHT_ANSWER)]
        return parts + [(END, WEIGHT_SUM)]


SIGNS = ((" plus ", " + "), (" minus ", " - "), (" times ", " * "), (" divided by ", " / "), (" is ", " = "))
FILLERS = set("the is what what's which do does of a an can could you me tell i would like to know please how are in it".split())


def chat_text(turns, system=None):
    """The chat template of the demo model, with weights: only the answers count in full."""
    parts = [(f"<|im_start|>system\n{system}<|im_end|>\n", WEIGHT_PROMPT)] if system else []
    for user, answer in turns:
        parts.append((f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n", WEIGHT_PROMPT))
        parts.append((f"{answer}<|im_end|>", WEIGHT_ANSWER))
        parts.append(("\n", WEIGHT_PROMPT))
    parts[-1] = (END, WEIGHT_PROMPT)
    return parts


NAMES = ("Anna Ben Clara David Emma Felix Grace Henry Ines Jonas Karin Leo Maria Nina Oscar Paula Quentin Rosa Samuel "
         "Tina Ursula Victor Wanda Xavier Yara Zoe Ahmed Amina Carlos Chen Fatima Hiro Ivan Kofi Lin Mateo Mei Omar Priya "
         "Ravi Sofia Tariq Yuki Alice Bob Carol Daniel Eva Frank Greta Hugo Ida Jack Kate Laura Max Nora Otto Peter Ruth "
         "Sarah Tom Lucy Mark Julia Paul John Jane Mary James").split()
VALUES = {
    "colour": "red blue green yellow orange purple pink black white brown grey turquoise".split(),
    "animal": "dog cat horse rabbit parrot turtle hamster goldfish mouse pony snake lizard".split(),
    "city": [c[1] for c in COUNTRIES],
}
# slot: ways to tell, reply, ways to ask for it, answer, answer when it was never told
MEMORY = {
    "name": (["My name is {}.", "I am {}.", "Hello, my name is {}.", "Hi, I'm {}.", "You can call me {}.", "People call me {}.",
              "Good morning, I am {}.", "Call me {}."],
             "Nice to meet you, {}.",
             ["What is my name?", "Do you remember my name?", "Who am I?", "What's my name?", "Can you tell me my name?",
              "Do you still know my name?", "What did I say my name was?", "Tell me my name."],
             "Your name is {}.", "I do not know your name. You have not told me."),
    "colour": (["My favourite colour is {}.", "I like {} best of all colours.", "My favorite color is {}.", "The colour I like most is {}.",
                "Of all colours I love {}.", "I think {} is the best colour."],
               "I will remember that your favourite colour is {}.",
               ["What is my favourite colour?", "Which colour do I like?", "What is my favorite color?", "Which colour do I like most?",
                "Do you remember my favourite colour?", "What colour do I love?"],
               "Your favourite colour is {}.", "I do not know your favourite colour. You have not told me."),
    "animal": (["I have a {}.", "I have a pet {}.", "My pet is a {}.", "At home I have a {}.", "There is a {} in my house.", "I own a {}."],
               "How nice that you have a {}!",
               ["Which animal do I have?", "What pet do I have?", "What is my pet?", "Which pet do I have?", "Do you remember my pet?",
                "What kind of animal do I have at home?"],
               "You have a {}.", "I do not know your pet. You have not told me."),
    "city": (["I live in {}.", "I live in the city of {}.", "My home is in {}.", "I have a house in {}.", "You can find me in {}.", "My house is in {}."],
             "I hope that you like {}.",
             ["Where do I live?", "Where is my house?", "In which city do I live?", "Where is my home?", "What is my home town?",
              "Do you know where I live?"],
             "You live in {}.", "I do not know where you live. You have not told me."),
}
SMALL_TALK = [
    (["Hello!", "Hi!", "Hello", "Hi there!", "Hey!", "Good day!", "Hi", "Hello there.", "Hey", "Greetings!"], "Hello! How can I help you?"),
    (["Good morning!", "Good morning.", "Morning!", "A good morning to you."], "Good morning! How can I help you?"),
    (["Good evening!", "Good evening.", "Evening!", "A good evening to you."], "Good evening! How can I help you?"),
    (["How are you?", "How are you doing?", "How do you do?", "Are you well?", "How is it going?", "How are you today?", "What's up?",
      "How do you feel today?"], "I am well, thank you. How can I help you?"),
    (["Thank you!", "Thanks!", "Thank you very much.", "Thanks a lot!", "Thank you.", "Many thanks!", "Thanks", "Great, thanks."], "You are welcome!"),
    (["Goodbye!", "Bye!", "See you!", "Bye bye.", "See you later.", "I have to go now.", "Bye", "Until next time!"], "Goodbye! Have a nice day."),
    (["Good night!", "Good night.", "I am going to bed.", "Sleep well!"], "Good night! Sleep well."),
    (["You are great!", "Well done!", "Good job!", "You are clever.", "I like you.", "That was helpful.", "Very good!", "Nice answer."],
     "Thank you! I am glad that I could help."),
    (["That is wrong.", "You are wrong.", "No, that is not right.", "That was a mistake.", "This is not correct.", "I think you are wrong."],
     "I am sorry. I am a very small model and I make mistakes."),
    (["I am sad.", "I am sad today.", "I feel bad.", "I had a bad day.", "I am not happy.", "Today was a hard day."],
     "I am sorry to hear that. I hope that tomorrow is better."),
    (["I am happy.", "I am happy today.", "I feel great!", "I had a good day.", "Today was a good day.", "I feel very well."],
     "I am glad to hear that!"),
    (["I am tired.", "I am so tired.", "I need some sleep.", "I want to sleep."], "Then a little rest may help you."),
    (["I am hungry.", "I want to eat something.", "I need some food.", "I am so hungry."], "Then it is time to eat something good."),
    (["I am bored.", "I have nothing to do.", "What shall we do?", "I feel bored."], "I can tell you a short story. Just ask me."),
    (["Can you help me?", "I need help.", "Please help me.", "Help!", "Could you help me?", "I need some help."], "Of course. What would you like to know?"),
    (["OK.", "I see.", "Okay", "All right.", "Fine.", "Understood."], "Good. What else would you like to know?"),
    (["Yes.", "Yes", "Yes, please.", "Sure."], "Good. What would you like to know?"),
    (["No.", "No", "No, thank you.", "Not now."], "All right. Just ask when you need something."),
    (["Are you there?", "Can you hear me?", "Are you awake?", "Is anyone there?"], "Yes, I am here. How can I help you?"),
    (["Sorry!", "I am sorry.", "My mistake.", "Sorry, I was wrong."], "That is all right."),
]
UNKNOWN = ["What is the weather today?", "Will it rain tomorrow?", "What time is it?", "What is the date today?", "Who won the game yesterday?",
           "Who is the president now?", "What is in the news?", "How much does a house cost?", "What is my phone number?",
           "What will happen next year?", "What is the price of gold today?", "How is the stock market?", "Where are my keys?",
           "What did I eat yesterday?", "Who will win the election?", "What is the best restaurant in town?", "How do I fix my car?",
           "What medicine should I take?", "Who is my neighbour?", "What am I thinking?", "What year is it?", "How is the traffic?",
           "Who won the football match?", "What is on television tonight?", "Which stocks should I buy?", "How old am I?",
           "What is the meaning of this painting?", "What does my boss want?", "When does the next train leave?", "How warm is it outside?",
           "What is the square root of 7919?", "Who is the richest person?", "Translate this book for me.", "What is quantum field theory?",
           "How do I file my taxes?", "Is my friend at home?", "What day is it today?", "Which film should I see tonight?"]


def evaluation(seed):
    """The test questions: a list of {category, messages, expect}; every string in expect must occur."""
    w = Writer(seed, test=True)
    rows = []

    def add(category, pair, before=()):
        messages = [{"role": role, "content": text} for q, a in before for role, text in (("user", q), ("assistant", a))]
        messages.append({"role": "user", "content": pair[0]})
        rows.append({"category": category, "messages": messages, "expect": pair[2]})

    for rel in RELATIONS:
        for _ in range(12 if rel is CAPITALS else 4):
            add("fact, new phrasing", w.relation(rel))
    for entry in SINGLES[::2]:
        w.test = len(entry[0].split("/")) > 5
        add("single fact" + (", new phrasing" if w.test else ", seen phrasing"), w.single(entry))
    w.test = True
    for entry in ABOUT:
        fresh = len(entry[0].split("/")) > 5
        add("isobit, new phrasing" if fresh else "isobit, seen phrasing", w.about(entry))
    for _ in range(40):
        add("addition, new pair and phrasing", w.add())
        add("subtraction, new pair and phrasing", w.subtract())
    for _ in range(20):
        add("product or quotient, new phrasing", w.times())
        add("comparison, new phrasing", w.compare())
        add("unknown, new phrasing", w.unknown())
        add("task", w.r.choice(TASKS[:5])(w))
    w.test = False
    for _ in range(40):
        add("sum, seen pair and phrasing", w.add() if w.r.random() < 0.5 else w.subtract())
    w.test = True
    for _ in range(20):
        first, second = w.follow()
        add("follow-up", second, [first[:2]])
    for _ in range(30):
        memory = {}
        told = recalled = None
        while not memory:
            told = w.social(memory)
        slot, value = next(iter(memory.items()))
        recalled = (w.pick(MEMORY[slot][2]), "", [value])
        between = [w.exchange({})[:2] for _ in range(w.r.randint(0, 3))]
        add("memory, new phrasing", recalled, [told[:2], *between])
    for ask, key in HAND:
        add("written by hand", (ask, "", key.split("&")))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["sample", "eval"])
    parser.add_argument("-n", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.what == "eval":
        for row in evaluation(args.seed):
            print(json.dumps(row, ensure_ascii=False))
        return
    writer = Writer(args.seed)
    for _ in range(args.n):
        print("".join(t for t, _ in writer.document()), end="\n\n")


if __name__ == "__main__":
    main()
