"""Sums, comparisons and small word problems. All take a generate.Writer.

The first six kinds return (question, answer, what it must contain); number_text returns a document.
Added and subtracted numbers stay in 0..100, factors in 0..12. Writer.unseen_pair keeps the pairs
that are held out of training apart.
"""

WEIGHT_GIVEN, WEIGHT_RESULT = 0.02, 1.0
SIGNS = ((" plus ", " + "), (" minus ", " - "), (" times ", " * "), (" divided by ", " / "),
         (" is ", " = "))


def any_sum(w):
    kind = w.r.random()
    if kind < 0.26:
        return add(w)
    if kind < 0.50:
        return subtract(w)
    if kind < 0.62:
        return times(w)
    if kind < 0.86:
        return compare(w)
    return number_fact(w) if kind < 0.95 else word_problem(w)


def add(w):
    a, b = w.unseen_pair("+", 0, 99, lambda x, y: x + y <= 100)
    ask = w.pick([
        "What is {a} + {b}?", "What is {a} plus {b}?", "{a} + {b} = ?",
        "How much is {a} + {b}?", "Add {a} and {b}.", "Calculate {a} plus {b}.",
        "How much is {a} plus {b}?", "{a} plus {b}",
        "What do you get when you add {a} and {b}?", "{a}+{b}", "What's {a} + {b}?",
        "Can you work out {a} + {b}?", "What is the sum of {a} and {b}?", "Calculate {a} + {b}."
    ])
    return ask.format(a=a, b=b), f"{a} plus {b} is {a + b}.", [f"is {a + b}."]


def subtract(w):
    a, b = w.unseen_pair("-", 0, 100, lambda x, y: x >= y)
    ask = w.pick([
        "What is {a} - {b}?", "What is {a} minus {b}?", "{a} - {b} = ?",
        "How much is {a} - {b}?", "Take {b} from {a}.", "Calculate {a} minus {b}.",
        "How much is {a} minus {b}?", "{a} minus {b}", "Subtract {b} from {a}.", "{a}-{b}",
        "What's {a} - {b}?", "Can you work out {a} - {b}?", "Calculate {a} - {b}."
    ])
    return ask.format(a=a, b=b), f"{a} minus {b} is {a - b}.", [f"is {a - b}."]


def times(w):
    a, b = w.r.randint(0, 12), w.r.randint(0, 12)
    if w.r.random() < 0.3 and b > 0:
        ask = w.pick([
            "What is {a} / {b}?", "What is {a} divided by {b}?",
            "How much is {a} divided by {b}?", "Divide {a} by {b}.", "Calculate {a} / {b}.",
            "How much is {a} / {b}?"
        ])
        return ask.format(a=a * b, b=b), f"{a * b} divided by {b} is {a}.", [f"is {a}."]
    ask = w.pick([
        "What is {a} * {b}?", "What is {a} times {b}?", "{a} * {b} = ?",
        "How much is {a} times {b}?", "Multiply {a} by {b}.", "Calculate {a} times {b}.",
        "What is {a} x {b}?", "{a} times {b}", "What's {a} times {b}?",
        "What is the product of {a} and {b}?"
    ])
    return ask.format(a=a, b=b), f"{a} times {b} is {a * b}.", [f"is {a * b}."]


def compare(w):
    a, b = w.r.sample(range(101), 2)
    low, high = min(a, b), max(a, b)
    kind = w.r.randrange(3)
    if kind == 0:
        ask = w.pick([
            "Which is larger, {a} or {b}?", "Which number is bigger, {a} or {b}?",
            "What is more, {a} or {b}?", "Is {a} or {b} larger?",
            "Which is greater, {a} or {b}?", "Which of {a} and {b} is larger?"
        ])
        return ask.format(a=a, b=b), f"{high} is larger than {low}.", [f"{high} is larger"]
    if kind == 1:
        ask = w.pick([
            "Which is smaller, {a} or {b}?", "Which number is smaller, {a} or {b}?",
            "What is less, {a} or {b}?", "Is {a} or {b} smaller?", "Which is less, {a} or {b}?",
            "Which of {a} and {b} is smaller?"
        ])
        return ask.format(a=a, b=b), f"{low} is smaller than {high}.", [f"{low} is smaller"]
    ask = w.pick([
        "Is {a} larger than {b}?", "Is {a} greater than {b}?", "Is {a} bigger than {b}?",
        "Is {a} more than {b}?"
    ])
    if a > b:
        return ask.format(a=a, b=b), f"Yes, {a} is larger than {b}.", ["Yes"]
    return ask.format(a=a, b=b), f"No, {a} is smaller than {b}.", ["No"]


def number_fact(w):
    n, kind = w.r.randint(1, 99), w.r.randrange(5)
    if kind == 0:
        ask = w.pick([
            "What comes after {n}?", "Which number comes after {n}?",
            "What is the next number after {n}?", "Which number follows {n}?",
            "What number is after {n}?", "Tell me the number after {n}."
        ])
        return ask.format(n=n), f"The number after {n} is {n + 1}.", [f"is {n + 1}."]
    if kind == 1:
        ask = w.pick([
            "What comes before {n}?", "Which number comes before {n}?",
            "What number is before {n}?", "Tell me the number before {n}.",
            "Which number is just before {n}?", "What is the number before {n}?"
        ])
        return ask.format(n=n), f"The number before {n} is {n - 1}.", [f"is {n - 1}."]
    if kind == 2:
        ask = w.pick([
            "Is {n} even or odd?", "Is {n} an even number?", "Is {n} odd or even?",
            "Is {n} an odd number?"
        ])
        word = "odd" if n % 2 else "even"
        return ask.format(n=n), f"{n} is an {word} number.", [f"{word} number"]
    if kind == 3:
        n = w.r.randint(1, 50)
        ask = w.pick([
            "What is half of {n}?", "What is the half of {n}?", "How much is half of {n}?",
            "Halve {n}.", "Tell me half of {n}.", "Give me half of {n}."
        ])
        return ask.format(n=2 * n), f"Half of {2 * n} is {n}.", [f"is {n}."]
    n = w.r.randint(1, 50)
    ask = w.pick([
        "What is the double of {n}?", "What is twice {n}?", "Double {n}.",
        "How much is twice {n}?", "What is two times {n}?", "How much is the double of {n}?"
    ])
    return ask.format(n=n), f"Twice {n} is {2 * n}.", [f"is {2 * n}."]


def word_problem(w):
    things = w.r.choice(
        "apples books coins stamps cakes pencils marbles flowers eggs stones nuts cards".split(
        ))
    who = w.name()
    if w.r.random() < 0.5:
        a, b = w.unseen_pair("+", 1, 30, lambda x, y: True)
        ask = w.pick([
            "I have {a} {t} and get {b} more. How many {t} do I have?",
            "{w} has {a} {t} and buys {b} more. How many {t} does {w} have?",
            "There are {a} {t} in a box. I add {b} {t}. How many are there?",
            "{w} finds {a} {t} and then {b} more {t}. How many is that?",
            "If I have {a} {t} and you give me {b}, how many do I have?",
            "{w} had {a} {t} and was given {b} more. How many {t} now?"
        ])
        answer = f"{a} plus {b} is {a + b}, so that makes {a + b} {things}."
        return ask.format(a=a, b=b, t=things, w=who), answer, [f"is {a + b}"]
    a, b = w.unseen_pair("-", 1, 40, lambda x, y: x > y)
    ask = w.pick([
        "I have {a} {t} and give away {b}. How many {t} are left?",
        "{w} has {a} {t} and loses {b}. How many {t} are left?",
        "There are {a} {t} in a box. I take {b} out. How many are left?",
        "{w} had {a} {t} and sold {b}. How many remain?",
        "If I have {a} {t} and you take {b}, how many do I have?",
        "{w} had {a} {t} and gave {b} of them to a friend. How many {t} now?"
    ])
    answer = f"{a} minus {b} is {a - b}, so {a - b} {things} are left."
    return ask.format(a=a, b=b, t=things, w=who), answer, [f"is {a - b}"]


def number_line(w, sign):
    """A line of number_text as (what is given, what follows from it)."""
    x = w.r.random()
    if x < 0.14:
        a, b = w.r.sample(range(101), 2)
        if w.r.random() < 0.5:
            return f"{a} or {b}: ", f"{max(a, b)} is larger than {min(a, b)}."
        return f"{a} or {b}: ", f"{min(a, b)} is smaller than {max(a, b)}."
    if x < 0.2:
        numbers = w.r.sample(range(100), 3)
        given, result = (", ".join(map(str, n)) for n in (numbers, sorted(numbers)))
        return f"Sort {given}: ", f"{result}."
    if x < 0.26:
        answer, sign = number_fact(w)[1], False
    else:
        answer = add(w)[1] if x < 0.56 else subtract(w)[1] if x < 0.9 else times(w)[1]
    if sign:
        for word, mark in SIGNS:
            answer = answer.replace(word, mark)
    left, mark, result = answer.rpartition(" = " if sign else " is ")
    return left + mark, result


def number_text(w, end):
    """Many lines about numbers, in words or signs; the loss counts what follows."""
    parts = []
    sign = w.r.random() < 0.4
    for _ in range(w.r.randint(8, 20)):
        given, result = number_line(w, sign)
        parts += [((" " if parts else "") + given, WEIGHT_GIVEN), (result, WEIGHT_RESULT)]
    return parts + [(end, WEIGHT_GIVEN)]
