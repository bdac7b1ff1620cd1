"""Small instructions the demo model follows: repeat, count, spell, list, tell a story.

A task is a function of a generate.Writer and returns (question, answer, what it must contain).
"""

LISTS = {
    "animals":
        ("dog cat horse cow lion tiger bear fox wolf rabbit mouse elephant duck owl eagle "
         "snake frog sheep goat pig").split(),
    "colours": "red blue green yellow orange purple pink black white brown grey".split(),
    "fruits": "apple banana cherry lemon orange pear plum grape melon peach mango".split(),
    "vegetables": "carrot potato onion pea bean cabbage spinach leek pumpkin".split(),
    "countries":
        ("France Germany Italy Spain Japan China India Egypt Kenya Brazil Canada Mexico Peru "
         "Chile Sweden Norway").split(),
    "cities":
        ("Paris London Rome Berlin Madrid Tokyo Cairo Nairobi Lima Oslo Vienna Athens Dublin "
         "Lisbon Warsaw").split(),
    "birds": "owl eagle duck swan crow sparrow parrot penguin robin dove".split(),
    "instruments": "piano violin guitar flute drum trumpet harp cello".split(),
    "languages": "English French German Spanish Italian Japanese Arabic Greek Polish Dutch".split(),
    "insects": "ant bee fly beetle butterfly moth wasp mosquito".split(),
    "tools": "hammer saw screwdriver drill axe spade rake knife".split(),
    "planets": "Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune".split(),
}
COUNTS = {2: "two", 3: "three", 4: "four", 5: "five"}
WORDS = ("cat dog sun moon tree house bird fish book star water bread apple river green light "
         "chair table garden flower winter summer horse mouse music paper stone cloud train "
         "night").split()
PHRASES = ("the sky is blue/hello world/I like apples/good morning to all/one two three/"
           "the cat is on the roof/isobit is exact/every bit is the same/we go home/"
           "rain and sun/a b c/the moon is bright/my dog is happy/this is a test/"
           "the river is long/open the door/red, green and blue/time is short/bread and butter/"
           "never give up").split("/")
JOKES = [
    "Why did the computer go to the doctor? Because it had a virus.",
    "Why was six afraid of seven? Because seven ate nine.",
    "What do you call a bear with no teeth? A gummy bear.",
    "What has hands but cannot clap? A clock.",
]
POEMS = [
    "The sun goes down, the stars come out, a small owl flies without a shout.",
    "The rain falls soft on leaf and stone, and in the house nobody is alone.",
    "A little bit, a little sum, the same on each machine they come.",
]
HEROES = ("fox cat dog rabbit mouse bear owl duck frog horse robot girl boy king sailor farmer "
          "lion bird goat elephant").split()
PLACES = "forest garden village castle harbour mountain river field meadow town".split()
FINDS = ("golden key/old map/red ball/small box/letter/silver coin/lost hat/blue stone/book/"
         "bell").split("/")
TRAITS = "small brave old clever kind young happy lonely curious quiet".split()


def article(word):
    return ("an " if word[0].lower() in "aeiou" else "a ") + word


def join(items):
    return ", ".join(items[:-1]) + " and " + items[-1]


def repeat(w):
    r = w.r
    x = r.random()
    if x < 0.4:
        text = " ".join(r.choice(WORDS) for _ in range(r.randint(1, 5)))
    elif x < 0.6:
        text = " ".join(w.made_up(2).lower() for _ in range(r.randint(1, 3)))
    elif x < 0.75:
        text = " ".join(str(r.randint(0, 99)) for _ in range(r.randint(2, 5)))
    else:
        text = r.choice(PHRASES)
    ask = w.pick([
        "Repeat after me: {}", "Repeat: {}", "Say this: {}", "Please repeat: {}", "Say: {}",
        "Write this: {}", "Write exactly: {}", "Repeat these words: {}"
    ])
    return ask.format(text), text, [text]


def count(w):
    a, n = w.r.randint(0, 30), w.r.randint(2, 12)
    if w.r.random() < 0.4:
        ask = w.pick([
            "Count to {}.", "Count from 1 to {}.", "Can you count to {}?", "Please count up to {}.",
            "Count up to {}.", "I want you to count to {}."
        ])
        n = w.r.randint(3, 20)
        return ask.format(n), ", ".join(str(i) for i in range(1, n + 1)) + ".", [
            ", ".join(str(i) for i in range(1, n + 1))
        ]
    if w.r.random() < 0.3:
        n = w.r.randint(3, 12)
        ask = w.pick([
            "Count down from {}.", "Count backwards from {}.", "Count from {} to 1.",
            "Count back from {} to 1."
        ])
        text = ", ".join(str(i) for i in range(n, 0, -1))
        return ask.format(n), text + ".", [text]
    ask = w.pick([
        "Count from {} to {}.", "Please count from {} to {}.", "Can you count from {} to {}?",
        "List the numbers from {} to {}.", "Write the numbers from {} to {}.",
        "Which numbers go from {} to {}?"
    ])
    text = ", ".join(str(i) for i in range(a, a + n + 1))
    return ask.format(a, a + n), text + ".", [text]


def spell(w):
    word = w.r.choice(WORDS)
    ask = w.pick([
        "Spell {}.", "How do you spell {}?", "Spell the word {}.", "Can you spell {}?",
        "How is {} spelled?", "Please spell the word {}."
    ])
    text = "-".join(word.upper())
    return ask.format(word), f"{word} is spelled {text}.", [text]


def order(w):
    numbers = w.r.sample(range(100), 3)
    ask = w.pick([
        "Sort these numbers: {}, {}, {}.", "Put these numbers in order: {}, {}, {}.",
        "Order the numbers {}, {} and {}.", "Sort {}, {} and {}.", "Sort the numbers {}, {}, {}.",
        "Arrange {}, {} and {} from small to large."
    ])
    text = ", ".join(map(str, sorted(numbers)))
    return ask.format(*numbers), text + ".", [text]


def first_letter(w):
    word = w.r.choice(WORDS)
    ask = w.pick([
        "Which letter does {} start with?", "What is the first letter of {}?",
        "With which letter does {} begin?", "What letter does the word {} start with?",
        "Tell me the first letter of {}.", "{} starts with which letter?"
    ])
    return ask.format(word), f"The word {word} starts with {word[0].upper()}.", [
        f"with {word[0].upper()}"
    ]


def enumerate_things(w):
    kind = w.r.choice(list(LISTS))
    n = w.r.choice(list(COUNTS))
    items = w.r.sample(LISTS[kind], n)
    ask = w.pick([
        "Name {} {}.", "List {} {}.", "Give me {} {}.", "Tell me {} {}.", "Can you name {} {}?",
        "I need the names of {} {}.", "Write down {} {}."
    ])
    number = COUNTS[n] if w.r.random() < 0.7 else str(n)
    return ask.format(number,
                      kind), f"{COUNTS[n].capitalize()} {kind} are {join(items)}.", [f"{kind} are"]


def member(w):
    kind = w.r.choice([k for k in LISTS if k not in ("cities", "birds", "insects")])
    word = w.r.choice(LISTS[kind])
    ask = w.pick(
        ["Name a {0}.", "Tell me a {0}.", "Give me an example of a {0}.", "Say the name of a {0}."])
    singular = {"countries": "country"}.get(kind, kind[:-1])
    return ask.format(singular).replace(" a a",
                                        " an a").replace(" a i",
                                                         " an i"), f"{word.capitalize()}.", []


def story(w, hero=None, place=None):
    r = w.r
    hero, place = hero or r.choice(HEROES), place or r.choice(PLACES)
    trait, find = r.choice(TRAITS), r.choice(FINDS)
    friend = r.choice([h for h in HEROES if h != hero])
    start = f"Once upon a time there was {article(trait)} {hero} who lived near {article(place)}."
    middle = f"One day the {hero} found {article(find)}."
    turn = r.choice([
        f"\"Whose is it?\" asked the {hero}.", f"The {hero} did not know what to do with it.",
        f"The {hero} wanted to find the owner."
    ])
    meet = f"Then {article(friend)} came along and said: \"It is mine. I lost it yesterday.\""
    end = r.choice([
        f"The {hero} gave it back, and from that day on they were friends.",
        f"The {hero} gave the {find} back, and they walked home together."
    ])
    return " ".join([start, middle, turn, meet, end])


def tell_story(w):
    hero, place = w.r.choice(HEROES), w.r.choice(PLACES)
    x = w.r.random()
    if x < 0.3:
        ask = w.pick([
            "Tell me a story.", "Tell me a short story.", "Can you tell a story?",
            "I would like to hear a story.", "Write a short story.", "Do you know a story?"
        ])
        return ask, story(w), ["Once upon a time"]
    if x < 0.7:
        ask = w.pick([
            "Tell me a story about {}.", "Write a story about {}.",
            "Can you tell a story about {}?", "A story about {}, please.",
            "Write a short story about {}.", "I want to hear a story about {}."
        ])
        return ask.format(article(hero)), story(w, hero), [hero]
    ask = w.pick([
        "Tell me a story about {} in {}.", "Write a story about {} near {}.",
        "Tell a story with {} and {}."
    ])
    return ask.format(article(hero), article(place)), story(w, hero, place), [hero, place]


def amuse(w):
    if w.r.random() < 0.6:
        return w.pick([
            "Tell me a joke.", "Do you know a joke?", "Make me laugh.", "Say something funny.",
            "A joke, please.", "Can you tell me a joke?"
        ]), w.r.choice(JOKES), []
    return w.pick([
        "Write a poem.", "Tell me a poem.", "Do you know a poem?", "A short poem, please.",
        "Write a short poem.", "Can you write a poem?"
    ]), w.r.choice(POEMS), []


TASKS = [
    repeat, count, spell, order, first_letter, repeat, count, spell, order, first_letter,
    enumerate_things, member, tell_story, tell_story, amuse
]
