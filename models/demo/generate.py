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
import re
import zlib

import sums
from about import ABOUT, TEXTS
from facts import CAPITALS, RELATIONS, SINGLES
from hand import HAND
from talk import MEMORY, NAMES, SMALL_TALK, UNKNOWN, VALUES
from tasks import TASKS, WORDS, story

END = "<|endoftext|>"
WEIGHT_PROMPT, WEIGHT_ANSWER, WEIGHT_TEXT, WEIGHT_FACTS = 0.1, 1.0, 0.4, 0.7
SYSTEMS = [
    "You are a helpful assistant.", "You are the isobit demo model.", "Answer in short sentences.",
    "You are a small and friendly model.", "You answer questions about isobit and plain facts.",
    "Be brief.", "You are a chat model that runs in isobit."
]
ONE_WORD = [
    "Answer in one word.", "One word only, please.", "Just one word.", "Reply with one word."
]


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
    text = pattern.format(a=a, b=b, A=capital(a), B=capital(b), an_a=article(a), an_b=article(b),
                          An_a=capital(article(a)))
    return text.replace("..", ".").replace(".?", "?")


def question(pattern):
    """A way to ask, with its full stop or question mark."""
    if pattern[-1] in ".?":
        return pattern
    return pattern + ("." if pattern.split()[0] in ORDERS else "?")


ORDERS = set("Tell Name List Explain Describe Show Write Introduce Give".split())


# How a question may be turned: the pattern of its start, and other ways to say it.
REWORDS = [
    (re.compile(r"What (?:is|are) (the [^,?.]+)(?<! called)(?<! for)\??"),
     ["What's {0}?", "{0}?", "Do you know {0}?", "I would like to know {0}.", "Say what {0} is.",
      "Can you name {0}?", "Could you tell me {0}?", "Please tell me {0}.", "{0}, please.",
      "{0} is what?", "Give me {0}."]),
    (re.compile(r"What (?:is|are) ([^,?.]+)(?<! called)(?<! for)\??"),
     ["What's {0}?", "{0}?", "Do you know what {0} is?", "Explain {0}.", "Define {0}.",
      "Say what {0} is.", "Can you explain {0}?", "Could you tell me what {0} is?",
      "Please tell me what {0} is.", "What do you know about {0}?", "{0} is what?"]),
    (re.compile(r"How (?:do|can) I ([^?.]+)\??"),
     ["How could I {0}?", "Tell me how to {0}.", "I want to {0}. How?", "What do I need to {0}?",
      "How would I {0}?", "Can you tell me how to {0}?", "How is it possible to {0}?",
      "What should I do to {0}?", "I would like to {0}."]),
    (re.compile(r"(?:Which|What) (?!is |are |do |does |did |has |was |would )([^?.]+)\??"),
     ["Which {0}?", "What {0}?", "Tell me which {0}.", "Do you know which {0}?",
      "Can you say which {0}?", "I ask myself which {0}."]),
    (re.compile(r"Where (is|are|do) ([^?.]+)\??"),
     ["Do you know where {1} {0}?", "Tell me where {1} {0}.", "Where {0} {1} then?"]),
    (re.compile(r"Tell me ((?:about|which|where|how|what|if) [^?.]+)\.?"),
     ["Can you tell me {0}?", "Could you tell me {0}?", "I want you to tell me {0}.", "Say {0}."]),
    (re.compile(r"(?:Tell me|Give me|Name|List) ([^?.]+)\.?"),
     ["Can you give me {0}?", "I need {0}.", "Could you tell me {0}?", "Say {0}.", "{0}?"]),
    (re.compile(r"(?:Explain|Describe) ([^?.]+)\.?"),
     ["Can you explain {0}?", "{0}?", "What about {0}?", "I want to understand {0}.",
      "Please explain {0} to me.", "I do not understand {0}."]),
]


def reword(r, ask):
    """The same question in other words, where a pattern of REWORDS fits."""
    for pattern, ways in REWORDS:
        found = pattern.fullmatch(ask)
        if found:
            text = r.choice(ways)
            for i, part in enumerate(found.groups()):
                text = text.replace(f"{{{i}}}", part)
            return text if text[0] == "{" else capital(text)
    return ask


class Writer:
    """One stream of documents. `test` selects the held-out ways to ask and pairs."""

    def __init__(self, seed, test=False):
        self.r = random.Random(seed)
        self.test = test
        self.fresh = False  # the last way to ask was a held-out one
        self.relation_weights = [r.weight * len(r.pairs)**0.5 for r in RELATIONS]

    def pick(self, asks):
        """A way to ask; in training, now and then in other words, but never in held-out ones."""
        self.fresh = self.test and len(asks) > 5
        if self.fresh:
            return self.r.choice(held(asks))
        ask = self.r.choice(kept(asks))
        if not self.test and self.r.random() < 0.25:
            other = reword(self.r, ask)
            if question(other).lower() not in {question(h).lower() for h in held(asks)}:
                return other
        return ask

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
        ask = self.pick(rel.checks)
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

    # --- chat --------------------------------------------------------------------------------

    def made_up(self, syllables=None):
        n = syllables or self.r.randint(2, 3)
        parts = [
            self.r.choice("b br c d dr f fl g gr h j k kr l m n p pr r s st t tr v w z".split()) +
            self.r.choice("a e i o u ai ee".split()) +
            self.r.choice(["", "", "n", "r", "l", "s", "m", "th", "x"]) for _ in range(n)
        ]
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
            ask = self.pick([
                "Who is {w}?", "Who was {w}?", "Tell me about {w}.", "What do you know about {w}?",
                "Do you know {w}?", "What did {w} do?", "When was {w} born?"
            ])
            return ask.format(w=who), f"I do not know who {who} is.", ["not know"]
        if kind == 2:
            what = self.made_up().lower()
            ask = self.pick([
                "What is a {w}?", "What does {w} mean?", "Explain {w}.", "What is {w}?",
                "Tell me what a {w} is.", "Do you know what {w} means?", "What colour is a {w}?"
            ])
            return ask.format(w=what), f"I do not know what {what} means.", ["not know"]
        return self.pick(UNKNOWN), "I am sorry, I do not know that. I am only a small model.", [
            "not know"
        ]

    def social(self, memory):
        """Small talk. memory holds what the user has told: name, colour, animal, city."""
        r = self.r
        kind = r.random()
        if kind < 0.3:
            asks, answer = r.choice(SMALL_TALK)
            return self.pick(asks), answer, []
        slot = r.choices(list(MEMORY), [3, 2, 2, 2])[0]
        if memory and r.random() < 0.6:
            slot = r.choice(list(memory))
        tell, reply, recall, told, lacking = MEMORY[slot]
        if slot in memory or (kind > 0.95 and not self.test):
            if slot in memory:
                return self.pick(recall), told.format(memory[slot]), [memory[slot]]
            return self.pick(recall), lacking, ["not know"]
        if slot == "name":
            value = self.name()
        elif slot == "city" and r.random() < 0.3:
            value = self.made_up()
        else:
            value = r.choice(VALUES[slot])
        memory[slot] = value
        return self.pick(tell).format(value), reply.format(value), [value]

    def follow(self):
        """A question that needs the one before: "And Spain?"."""
        rel = self.r.choice([r for r in RELATIONS if r.follow])
        (a, b), (c, d) = self.r.sample(rel.pairs, 2)
        first = fill(self.pick(rel.asks), a, b), capital(fill(rel.answers[0], a, b)), [b]
        ask = self.pick([
            "And {c}?", "What about {c}?", "And of {c}?", "How about {c}?", "And for {c}?",
            "Now {c}?"
        ])
        return first, (ask.format(c=c), capital(fill(rel.answers[0], c, d)), [d])

    def exchange(self, memory):
        kind = self.r.random()
        if kind < 0.30:
            return self.rough(self.relation())
        if kind < 0.38:
            return self.rough(self.single())
        if kind < 0.57:
            return self.rough(self.about())
        if kind < 0.74:
            return self.rough(sums.any_sum(self))
        if kind < 0.87:
            return self.r.choice(TASKS)(self)
        if kind < 0.95:
            return self.social(memory)
        return self.unknown()

    def chat(self, n):
        """n question and answer pairs."""
        turns, memory = [], {}
        if n > 1 and self.r.random() < 0.4:
            turns.append(self.social(memory))
        while len(turns) < n:
            if n - len(turns) > 1 and self.r.random() < 0.12:
                turns.extend(self.follow())
            elif memory and self.r.random() < 0.3:
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
            words = [
                w for w in q.split()
                if w.lower().strip("?.") not in FILLERS or self.r.random() < 0.2
            ]
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
            q = self.r.choice([
                "I wonder: ", "My friend asks: ", "Can you answer this? ", "I forgot this. ",
                "Could you help me? ", "Say, ", "Let me ask you: ", "I have a question. "
            ]) + q
        return (q, *turn[1:])

    def noise(self, q):
        """What people do to a question: polite words, no capital, no question mark."""
        x = self.r.random()
        if x < 0.12:
            q = self.r.choice([
                "Please: ", "Hello. ", "Hi! ", "A question: ", "Hey, ", "OK. ", "Thanks. ",
                "Next: ", "So, ", "Quick question: ", "Tell me: ", "Dear model, "
            ]) + q
        elif x < 0.16:
            q += self.r.choice(
                [" Please.", " Thanks!", " Thank you.", " Tell me.", " Do you know?"])
        x = self.r.random()
        if x < 0.12:
            q = q[0].lower() + q[1:]
        if x < 0.06 or 0.12 < x < 0.18:
            q = q.rstrip("?.")
        elif x > 0.97:
            q = q.lower()
        return q

    def twice(self):
        """Words that mean nothing, twice: the second time they can be copied."""
        words = [self.made_up(self.r.randint(1, 3)).lower() if self.r.random() < 0.5 else
                 self.r.choice(WORDS + NAMES) if self.r.random() < 0.7 else
                 str(self.r.randint(0, 99)) for _ in range(self.r.randint(4, 24))]
        text = " ".join(words) + "."
        return [(text, WEIGHT_PROMPT), (" " + text + END, WEIGHT_ANSWER)]

    # --- documents ---------------------------------------------------------------------------

    def document(self, long=False):
        kind = self.r.random()
        if kind < 0.66 or long:
            many = self.r.randint(10, 24) if long else 0
            n = many or self.r.choices([1, 2, 3, 4, 6], [8, 6, 4, 2, 1])[0]
            system = self.r.choice(SYSTEMS) if self.r.random() < 0.35 else None
            return chat_text(self.chat(n), system)
        if kind < 0.80:
            return sums.number_text(self, END)
        if kind < 0.86:
            return self.twice()
        if kind < 0.92:
            return [(" ".join(f"{q} {a}"
                              for q, a in self.chat(self.r.randint(1, 3))) + END, WEIGHT_TEXT)]
        if kind < 0.96:
            facts = []
            for _ in range(self.r.randint(3, 10)):
                rel = self.r.choices(RELATIONS, self.relation_weights)[0]
                facts.append(capital(fill(rel.answers[0], *self.r.choice(rel.pairs))))
            return [(" ".join(facts) + END, WEIGHT_FACTS)]
        if kind < 0.98:
            return [(" ".join(self.r.sample(TEXTS, self.r.randint(1, 4))) + END, WEIGHT_TEXT)]
        return [(story(self) + END, WEIGHT_TEXT)]


FILLERS = set(("the is what what's which do does of a an can could you me tell i would like to "
               "know please how are in it").split())


def chat_text(turns, system=None):
    """The chat template of the demo model, with weights: only the answers count in full."""
    parts = [(f"<|im_start|>system\n{system}<|im_end|>\n", WEIGHT_PROMPT)] if system else []
    for user, answer in turns:
        parts.append(
            (f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n", WEIGHT_PROMPT))
        parts.append((f"{answer}<|im_end|>", WEIGHT_ANSWER))
        parts.append(("\n", WEIGHT_PROMPT))
    parts[-1] = (END, WEIGHT_PROMPT)
    return parts


def evaluation(seed):
    """The test questions: {category, messages, expect}; all strings of expect must occur."""
    w = Writer(seed, test=True)
    rows = []

    def add(category, pair, before=(), label=True):
        if label:
            category += ", new phrasing" if w.fresh else ", seen phrasing"
        messages = []
        for q, a in (*before, (pair[0], None)):
            messages.append({"role": "user", "content": q})
            if a is not None:
                messages.append({"role": "assistant", "content": a})
        rows.append({"category": category, "messages": messages, "expect": pair[2]})

    for rel in RELATIONS:
        for _ in range(12 if rel is CAPITALS else 5):
            add("fact", w.relation(rel))
    for entry in SINGLES[::2]:
        add("single fact", w.single(entry))
    for entry in ABOUT:
        add("isobit", w.about(entry))
    for _ in range(40):
        add("addition, new pair", sums.add(w))
        add("subtraction, new pair", sums.subtract(w))
    for _ in range(20):
        add("product or quotient", sums.times(w))
        add("comparison", sums.compare(w))
        add("unknown", w.unknown())
    for task in TASKS[:5]:
        for _ in range(8):
            add(f"task {task.__name__}", task(w))
    for _ in range(30):
        evaluate_memory(w, add)
    w.test = False
    for _ in range(40):
        add("sum, seen pair", sums.add(w) if w.r.random() < 0.5 else sums.subtract(w))
    for _ in range(20):
        first, second = w.follow()
        add("follow-up", second, [first[:2]], label=False)
    for ask, key in HAND:
        add("written by hand", (ask, "", key.split("&")), label=False)
    return rows


def evaluate_memory(w, add):
    """Tells something, talks of other things, then asks for what was told."""
    memory = {}
    while not memory:
        told = w.social(memory)
    between = [w.exchange({})[:2] for _ in range(w.r.randint(0, 3))]
    slot, value = next(iter(memory.items()))
    add("memory", (w.pick(MEMORY[slot][2]), "", [value]), [told[:2], *between])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
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
