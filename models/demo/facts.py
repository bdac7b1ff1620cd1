"""The plain facts of the demo model, and the ways to ask for them.

A Relation ties pairs (a, b) to question and answer patterns. Patterns name the pair's members as
{a} and {b}; {A} and {B} are the same with a capital first letter, {an_a} has its article.
"""

from dataclasses import dataclass, field


@dataclass
class Relation:
    name: str
    pairs: list
    asks: list                                   # question about a, answered by b
    answers: list
    back_asks: list = field(default_factory=list)   # question about b, answered by a
    back_answers: list = field(default_factory=list)
    checks: list = field(default_factory=list)      # yes-or-no question about (a, b)
    follow: bool = False                            # "And {a}?" makes sense after a question
    weight: float = 1.0


def table(text):
    """Lines of fields separated by '|', entries by ';' or newlines."""
    rows = [r.strip() for r in text.replace("\n", ";").split(";")]
    return [tuple(f.strip() for f in r.split("|")) for r in rows if r]


COUNTRIES = table("""
France|Paris|Europe|French;Germany|Berlin|Europe|German;Italy|Rome|Europe|Italian
Spain|Madrid|Europe|Spanish;Portugal|Lisbon|Europe|Portuguese;Greece|Athens|Europe|Greek
Austria|Vienna|Europe|German;Belgium|Brussels|Europe|;Ireland|Dublin|Europe|
the Netherlands|Amsterdam|Europe|Dutch;Denmark|Copenhagen|Europe|Danish
Sweden|Stockholm|Europe|Swedish;Norway|Oslo|Europe|Norwegian;Finland|Helsinki|Europe|Finnish
Iceland|Reykjavik|Europe|Icelandic;Poland|Warsaw|Europe|Polish;Hungary|Budapest|Europe|Hungarian
Czechia|Prague|Europe|Czech;Slovakia|Bratislava|Europe|Slovak;Romania|Bucharest|Europe|Romanian
Bulgaria|Sofia|Europe|Bulgarian;Croatia|Zagreb|Europe|Croatian;Serbia|Belgrade|Europe|Serbian
Slovenia|Ljubljana|Europe|Slovene;Albania|Tirana|Europe|Albanian;Ukraine|Kyiv|Europe|Ukrainian
Estonia|Tallinn|Europe|Estonian;Latvia|Riga|Europe|Latvian;Lithuania|Vilnius|Europe|Lithuanian
the United Kingdom|London|Europe|English;Russia|Moscow||Russian;Turkey|Ankara||Turkish
Japan|Tokyo|Asia|Japanese;China|Beijing|Asia|;India|New Delhi|Asia|;Thailand|Bangkok|Asia|Thai
South Korea|Seoul|Asia|Korean;Vietnam|Hanoi|Asia|Vietnamese;Nepal|Kathmandu|Asia|Nepali
Mongolia|Ulaanbaatar|Asia|Mongolian;Pakistan|Islamabad|Asia|;Bangladesh|Dhaka|Asia|Bengali
Iran|Tehran|Asia|Persian;Iraq|Baghdad|Asia|Arabic;Syria|Damascus|Asia|Arabic
Jordan|Amman|Asia|Arabic;Lebanon|Beirut|Asia|Arabic;Qatar|Doha|Asia|Arabic
Saudi Arabia|Riyadh|Asia|Arabic;Cambodia|Phnom Penh|Asia|Khmer;Malaysia|Kuala Lumpur|Asia|
the Philippines|Manila|Asia|;Egypt|Cairo|Africa|Arabic;Kenya|Nairobi|Africa|
Ethiopia|Addis Ababa|Africa|;Nigeria|Abuja|Africa|English;Ghana|Accra|Africa|English
Senegal|Dakar|Africa|French;Morocco|Rabat|Africa|;Tunisia|Tunis|Africa|Arabic
Algeria|Algiers|Africa|;Libya|Tripoli|Africa|Arabic;Sudan|Khartoum|Africa|;Mali|Bamako|Africa|
Uganda|Kampala|Africa|;Rwanda|Kigali|Africa|;Zambia|Lusaka|Africa|English
Angola|Luanda|Africa|Portuguese;Zimbabwe|Harare|Africa|;Namibia|Windhoek|Africa|English
Madagascar|Antananarivo|Africa|;Canada|Ottawa|North America|
the United States|Washington, D.C.|North America|English
Mexico|Mexico City|North America|Spanish;Cuba|Havana|North America|Spanish
Jamaica|Kingston|North America|English;Panama|Panama City|North America|Spanish
Guatemala|Guatemala City|North America|Spanish;Brazil|Brasilia|South America|Portuguese
Argentina|Buenos Aires|South America|Spanish;Chile|Santiago|South America|Spanish
Peru|Lima|South America|Spanish;Colombia|Bogota|South America|Spanish
Ecuador|Quito|South America|Spanish;Uruguay|Montevideo|South America|Spanish
Paraguay|Asuncion|South America|;Venezuela|Caracas|South America|Spanish
Australia|Canberra|Oceania|English;New Zealand|Wellington|Oceania|;Fiji|Suva|Oceania|""")

CAPITALS = Relation(
    "capital", [(c[0], c[1]) for c in COUNTRIES],
    ["What is the capital of {a}?", "What's the capital of {a}?", "Name the capital of {a}.",
     "Which city is the capital of {a}?", "Tell me the capital of {a}.",
     "Can you tell me what the capital of {a} is?", "What is {a}'s capital?",
     "What is the capital city of {a}?", "Do you know the capital of {a}?",
     "What city is the capital of {a}?", "{A}: what is its capital?",
     "Which city is {a}'s capital?", "I want to know the capital of {a}.",
     "Give me the capital of {a}."],
    ["The capital of {a} is {b}."],
    ["{B} is the capital of which country?", "Which country has {b} as its capital?",
     "Which country's capital is {b}?", "What country is {b} the capital of?",
     "In which country is {b} the capital?", "Of which country is {b} the capital?"],
    ["{B} is the capital of {a}."],
    checks=["Is {b} the capital of {a}?", "Is the capital of {a} {b}?",
            "Is it true that {b} is the capital of {a}?"], follow=True, weight=5)

CONTINENTS = Relation(
    "continent", [(c[0], c[2]) for c in COUNTRIES if c[2]],
    ["Which continent is {a} in?", "On which continent is {a}?", "What continent is {a} in?",
     "Where is {a}?", "Where in the world is {a}?", "In which part of the world is {a}?",
     "Tell me which continent {a} is in."],
    ["{A} is in {b}."],
    checks=["Is {a} in {b}?"], follow=True, weight=2)

LANGUAGES = Relation(
    "language", [(c[0], c[3]) for c in COUNTRIES if len(c) > 3 and c[3]],
    ["Which language do people speak in {a}?", "What language is spoken in {a}?",
     "What is the main language of {a}?", "Which language is spoken in {a}?",
     "What do people speak in {a}?", "Tell me the main language of {a}."],
    ["The main language of {a} is {b}."],
    follow=True, weight=1.5)

COLOURS = Relation(
    "colour", table("""
grass|green;the sky on a clear day|blue;snow|white;coal|black;a ripe banana|yellow
a ripe tomato|red;a carrot|orange;blood|red;milk|white;a lemon|yellow;a cucumber|green
a crow|black;a flamingo|pink;a polar bear|white;a fire engine|red;chocolate|brown
an emerald|green;a ruby|red;a sapphire|blue;gold|yellow;silver|grey;ash|grey;an elephant|grey
a pumpkin|orange;a lime|green;a frog|green;salt|white;sugar|white;a strawberry|red;a cherry|red
spinach|green;a swan|white;an aubergine|purple;a raven|black;a canary|yellow;an egg yolk|yellow
a cloud|white;a sunflower|yellow;a pea|green;broccoli|green;a tree trunk|brown;a mouse|grey
soot|black;the night sky|black"""),
    ["What colour is {a}?", "What color is {a}?", "Which colour is {a}?",
     "What is the colour of {a}?", "Tell me the colour of {a}.", "What is the color of {a}?",
     "Which color does {a} have?", "What colour does {a} usually have?",
     "Do you know what colour {a} is?"],
    ["{A} is usually {b}."],
    checks=["Is {a} {b}?"], follow=True, weight=2)

MIXES = Relation(
    "colour mix", table("""
red and yellow|orange;blue and yellow|green;red and blue|purple;black and white|grey
red and white|pink;yellow and red|orange;yellow and blue|green;blue and red|purple
white and black|grey;white and red|pink"""),
    ["What do you get when you mix {a}?", "Which colour do {a} make?",
     "What colour is a mix of {a}?", "Mix {a}: what colour is it?",
     "What happens if I mix {a} paint?", "What do {a} make together?",
     "If you mix {a}, which colour do you get?"],
    ["If you mix {a}, you get {b}."],
    weight=0.7)

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = ("January February March April May June July August September October November "
          "December").split()
LENGTHS = "31 28 31 30 31 30 31 31 30 31 30 31".split()
ORDINALS = ("first second third fourth fifth sixth seventh eighth ninth tenth eleventh "
            "twelfth").split()


def ring(names, step):
    return [(n, names[(i + step) % len(names)]) for i, n in enumerate(names)]


DAY_NEXT = Relation(
    "day after", ring(DAYS, 1),
    ["Which day comes after {a}?", "What day is after {a}?", "What day follows {a}?",
     "If today is {a}, what day is tomorrow?", "Today is {a}. What is tomorrow?",
     "What is the day after {a}?", "Which day follows {a}?", "{A} is over: what day is next?"],
    ["The day after {a} is {b}."],
    checks=["Does {b} come after {a}?"], weight=0.7)
DAY_BEFORE = Relation(
    "day before", ring(DAYS, -1),
    ["Which day comes before {a}?", "What day is before {a}?", "What is the day before {a}?",
     "If today is {a}, what day was yesterday?", "Today is {a}. What was yesterday?",
     "Which day is just before {a}?", "What day comes right before {a}?"],
    ["The day before {a} is {b}."],
    weight=0.7)
MONTH_NEXT = Relation(
    "month after", ring(MONTHS, 1),
    ["Which month comes after {a}?", "What month is after {a}?", "What month follows {a}?",
     "What is the month after {a}?", "Which month follows {a}?", "After {a}, which month is next?",
     "What is the next month after {a}?"],
    ["The month after {a} is {b}."],
    checks=["Does {b} come after {a}?"], weight=0.8)
MONTH_BEFORE = Relation(
    "month before", ring(MONTHS, -1),
    ["Which month comes before {a}?", "What month is before {a}?", "What is the month before {a}?",
     "Which month is just before {a}?", "Name the month before {a}.",
     "What month comes right before {a}?"],
    ["The month before {a} is {b}."],
    weight=0.8)
MONTH_DAYS = Relation(
    "days of a month", [(m, "28 days, or 29 in a leap year" if m == "February" else f"{n} days")
                        for m, n in zip(MONTHS, LENGTHS)],
    ["How many days does {a} have?", "How many days are in {a}?", "How long is {a}?",
     "How many days are there in {a}?", "Tell me how many days {a} has.", "{A} has how many days?"],
    ["{A} has {b}."],
    follow=True)
MONTH_ORDER = Relation(
    "number of a month", list(zip(ORDINALS, MONTHS)),
    ["What is the {a} month of the year?", "Which month is the {a}?", "Name the {a} month.",
     "Which is the {a} month of the year?", "What is the {a} month?",
     "Tell me the {a} month of the year."],
    ["The {a} month of the year is {b}."])

PLANETS = "Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune".split()
PLANET_ORDER = Relation(
    "planet order", list(zip(ORDINALS, PLANETS)),
    ["What is the {a} planet from the Sun?", "Which planet is {a} from the Sun?",
     "Name the {a} planet from the Sun.", "Which is the {a} planet?", "What is the {a} planet?",
     "Counting from the Sun, which planet is the {a}?"],
    ["The {a} planet from the Sun is {b}."],
    ["Where does {b} stand among the planets?", "Which planet from the Sun is {b}?",
     "How far out is {b} among the planets?"],
    ["{B} is the {a} planet from the Sun."])

LEGS = Relation(
    "legs", table("""
a dog|four;a cat|four;a horse|four;a cow|four;a spider|eight;an ant|six;a bee|six;a bird|two
a chicken|two;a snake|no;a fish|no;a frog|four;a lion|four;a sheep|four;a fly|six;a beetle|six
a person|two;a duck|two;an elephant|four;a worm|no;a mouse|four;a butterfly|six;a scorpion|eight
a crab|ten;a lizard|four;an owl|two;a pig|four;a goat|four;a penguin|two;a mosquito|six"""),
    ["How many legs does {a} have?", "How many legs has {a}?",
     "What number of legs does {a} have?", "Tell me how many legs {a} has.",
     "Do you know how many legs {a} has?", "{A} has how many legs?"],
    ["{A} has {b} legs."],
    checks=["Does {a} have {b} legs?"], follow=True, weight=1.5)

SOUNDS = Relation(
    "sound", table("""
a dog|barks;a cat|meows;a cow|moos;a sheep|bleats;a lion|roars;a duck|quacks;a horse|neighs
a pig|oinks;a frog|croaks;a snake|hisses;a bee|buzzes;an owl|hoots;a mouse|squeaks;a wolf|howls
a crow|caws;a rooster|crows;a donkey|brays;a goose|honks;a dove|coos;an elephant|trumpets
a turkey|gobbles"""),
    ["What sound does {a} make?", "Which sound does {a} make?", "What does {a} sound like?",
     "What noise does {a} make?", "Tell me the sound of {a}.", "How does {a} sound?"],
    ["{A} {b}."],
    ["Which animal {b}?", "What animal {b}?", "Name an animal that {b}."],
    ["{A} {b}."],
    follow=True)

YOUNG = Relation(
    "young", table("""
dog|puppy;cat|kitten;cow|calf;horse|foal;sheep|lamb;goat|kid;pig|piglet;hen|chick;duck|duckling
goose|gosling;swan|cygnet;lion|cub;bear|cub;deer|fawn;kangaroo|joey;frog|tadpole;elephant|calf
whale|calf;owl|owlet;wolf|pup;seal|pup;eagle|eaglet;tiger|cub;fox|cub"""),
    ["What is a young {a} called?", "What do you call a young {a}?", "What is a baby {a} called?",
     "What is the name for a baby {a}?", "How do you call the young of {an_a}?",
     "What is the word for a young {a}?", "What do we call a baby {a}?"],
    ["A young {a} is called {an_b}."])

CLASSES = Relation(
    "animal class", table("""
a dog|a mammal;a cat|a mammal;a whale|a mammal;a bat|a mammal;a horse|a mammal;an eagle|a bird
a penguin|a bird;an ostrich|a bird;an owl|a bird;a parrot|a bird;a shark|a fish;a salmon|a fish
a tuna|a fish;a trout|a fish;a snake|a reptile;a lizard|a reptile;a crocodile|a reptile
a turtle|a reptile;a frog|an amphibian;a toad|an amphibian;a newt|an amphibian;an ant|an insect
a bee|an insect;a fly|an insect;a butterfly|an insect;a beetle|an insect;a spider|an arachnid
a scorpion|an arachnid;a dolphin|a mammal;a mouse|a mammal;an elephant|a mammal;a duck|a bird
a swan|a bird;a cow|a mammal;a lion|a mammal"""),
    ["What kind of animal is {a}?", "What type of animal is {a}?", "Which kind of animal is {a}?",
     "To which group of animals does {a} belong?", "What sort of animal is {a}?",
     "How do we classify {a}?", "What is {a}?"],
    ["{A} is {b}."],
    checks=["Is {a} {b}?"], follow=True, weight=1.5)

HOMES = Relation(
    "home", table("""
bees|a hive;birds|a nest;spiders|a web;rabbits|a burrow;lions|a den;dogs|a kennel
horses|a stable;pigs|a sty;ants|an anthill;fish|water;cows|a barn;beavers|a lodge;bears|a den
foxes|a den;moles|a burrow;bats|a cave"""),
    ["Where do {a} live?", "What is the home of {a}?", "What do {a} live in?",
     "In what kind of place do {a} live?", "What is the home of {a} called?",
     "Tell me where {a} live."],
    ["{A} live in {b}."],
    follow=True)

FOODS = Relation(
    "food", table("""
cows|grass;lions|meat;rabbits|grass and leaves;pandas|bamboo;squirrels|nuts;bees|nectar
koalas|eucalyptus leaves;sharks|fish;sheep|grass;owls|mice;anteaters|ants;pelicans|fish
wolves|meat;caterpillars|leaves;horses|grass and hay;monkeys|fruit;penguins|fish;frogs|insects
spiders|insects"""),
    ["What do {a} eat?", "What is the food of {a}?", "What do {a} like to eat?",
     "What do {a} feed on?", "Which food do {a} eat?", "Tell me what {a} eat."],
    ["{A} mostly eat {b}."],
    follow=True)

UNITS = Relation(
    "unit", table("""
minutes are in an hour|There are 60 minutes in an hour
seconds are in a minute|There are 60 seconds in a minute
hours are in a day|There are 24 hours in a day;days are in a week|There are 7 days in a week
weeks are in a year|There are 52 weeks in a year
months are in a year|There are 12 months in a year
days are in a year|There are 365 days in a year, or 366 in a leap year
years are in a decade|There are 10 years in a decade
years are in a century|There are 100 years in a century
years are in a millennium|There are 1000 years in a millennium
metres are in a kilometre|There are 1000 metres in a kilometre
centimetres are in a metre|There are 100 centimetres in a metre
millimetres are in a centimetre|There are 10 millimetres in a centimetre
grams are in a kilogram|There are 1000 grams in a kilogram
kilograms are in a tonne|There are 1000 kilograms in a tonne
millilitres are in a litre|There are 1000 millilitres in a litre
bits are in a byte|There are 8 bits in a byte
bytes are in a kibibyte|There are 1024 bytes in a kibibyte
items are in a dozen|There are 12 items in a dozen
degrees are in a circle|There are 360 degrees in a circle
degrees are in a right angle|There are 90 degrees in a right angle
letters are in the English alphabet|There are 26 letters in the English alphabet
seasons are in a year|There are 4 seasons in a year
minutes are in half an hour|There are 30 minutes in half an hour
inches are in a foot|There are 12 inches in a foot;feet are in a yard|There are 3 feet in a yard
cents are in a dollar|There are 100 cents in a dollar
players are in a football team|There are 11 players in a football team
planets are in the solar system|There are 8 planets in the solar system
continents are on Earth|There are 7 continents on Earth
oceans are on Earth|There are 5 oceans on Earth
colours are in a rainbow|There are 7 colours in a rainbow
strings are on a violin|There are 4 strings on a violin
keys are on a piano|There are 88 keys on a piano
squares are on a chess board|There are 64 squares on a chess board
fingers are on one hand|There are 5 fingers on one hand
bones are in an adult human body|There are 206 bones in an adult human body
teeth are in an adult human mouth|There are 32 teeth in an adult human mouth
chambers are in the human heart|There are 4 chambers in the human heart"""),
    ["How many {a}?", "Do you know how many {a}?", "Can you tell me how many {a}?",
     "Tell me how many {a}.", "I would like to know how many {a}.", "What number of {a}?",
     "Say how many {a}."],
    ["{b}."],
    weight=2.5)

SHAPES = Relation(
    "sides", table("""
triangle|three;square|four;rectangle|four;pentagon|five;hexagon|six;heptagon|seven;octagon|eight
nonagon|nine;decagon|ten;rhombus|four"""),
    ["How many sides does {an_a} have?", "How many sides are in {an_a}?",
     "How many sides has {an_a}?", "What number of sides does {an_a} have?",
     "{An_a} has how many sides?", "Tell me how many sides {an_a} has."],
    ["{An_a} has {b} sides."],
    weight=0.7)

OPPOSITES = Relation(
    "opposite", table("""
hot|cold;big|small;fast|slow;up|down;left|right;day|night;black|white;open|closed;happy|sad
old|young;full|empty;hard|soft;high|low;light|dark;long|short;near|far;wet|dry;loud|quiet
early|late;rich|poor;strong|weak;thick|thin;clean|dirty;true|false;good|bad;first|last
inside|outside;above|below;easy|difficult;love|hate;win|lose;buy|sell;push|pull;start|stop
begin|end;front|back;heavy|light;wide|narrow;deep|shallow;sharp|blunt;sweet|sour;alive|dead
always|never;all|none;before|after;more|less;most|least;north|south;east|west;day|night
war|peace;question|answer;friend|enemy;arrive|leave;remember|forget;cold|hot;small|big;slow|fast
down|up;right|left;night|day;sad|happy;young|old;empty|full;soft|hard;low|high;dark|light
short|long"""),
    ["What is the opposite of {a}?", "What's the opposite of {a}?", "Give me the opposite of {a}.",
     "Tell me the opposite of {a}.", "Which word is the opposite of {a}?",
     "What word means the opposite of {a}?", "Name the opposite of {a}.",
     "What would be the opposite of {a}?"],
    ["The opposite of {a} is {b}."],
    follow=True, weight=2)

PLURALS = Relation(
    "plural", table("""
mouse|mice;child|children;man|men;woman|women;foot|feet;tooth|teeth;goose|geese;dog|dogs
cat|cats;house|houses;leaf|leaves;knife|knives;city|cities;baby|babies;box|boxes;bus|buses
fish|fish;sheep|sheep;person|people;ox|oxen;wolf|wolves;tree|trees;book|books;star|stars
day|days;story|stories;church|churches;potato|potatoes;car|cars;apple|apples;flower|flowers
bird|birds;river|rivers;berry|berries;half|halves;wife|wives;dish|dishes"""),
    ["What is the plural of {a}?", "What's the plural of {a}?", "Give me the plural of {a}.",
     "How do you say more than one {a}?", "Which word is the plural of {a}?",
     "Tell me the plural of {a}."],
    ["The plural of {a} is {b}."],
    follow=True)

PASTS = Relation(
    "past tense", table("""
go|went;see|saw;eat|ate;run|ran;come|came;take|took;give|gave;find|found;think|thought
buy|bought;bring|brought;make|made;write|wrote;read|read;sing|sang;swim|swam;walk|walked
play|played;fly|flew;know|knew;say|said;tell|told;sleep|slept;build|built;draw|drew;drink|drank
drive|drove;fall|fell;feel|felt;speak|spoke;stand|stood;teach|taught"""),
    ["What is the past tense of {a}?", "Give me the past tense of {a}.", "What's the past of {a}?",
     "Tell me the past tense of {a}.", "Which word is the past tense of {a}?",
     "What is the past form of {a}?"],
    ["The past tense of {a} is {b}."],
    follow=True)

ELEMENTS = Relation(
    "chemical symbol", table("""
hydrogen|H;helium|He;carbon|C;nitrogen|N;oxygen|O;sodium|Na;iron|Fe;gold|Au;silver|Ag;copper|Cu
lead|Pb;tin|Sn;calcium|Ca;potassium|K;chlorine|Cl;silicon|Si;neon|Ne;zinc|Zn;mercury|Hg;sulfur|S
aluminium|Al;iodine|I;uranium|U;magnesium|Mg;lithium|Li;phosphorus|P;nickel|Ni;titanium|Ti
fluorine|F;argon|Ar"""),
    ["What is the chemical symbol of {a}?", "What is the symbol for {a}?",
     "What's the chemical symbol for {a}?", "Tell me the chemical symbol of {a}.",
     "Which symbol does {a} have?", "How is {a} written in chemistry?"],
    ["The chemical symbol of {a} is {b}."],
    ["Which element has the symbol {b}?", "What element is {b}?", "Which element is written {b}?"],
    ["{B} is the chemical symbol of {a}."],
    follow=True, weight=1.5)

JOBS = Relation(
    "job", table("""
bread|a baker;sick people|a doctor;sick animals|a vet;fires|a firefighter
a school class|a teacher;teeth|a dentist;planes|a pilot;letters|a postman;books|a writer
paintings|a painter;hair|a hairdresser;meals|a cook;fields|a farmer;fish|a fisherman
houses|a builder;water pipes|a plumber;programs|a programmer;music|a musician;the law|a judge
gardens|a gardener"""),
    ["Who works with {a}?", "Whose job has to do with {a}?", "Which profession works with {a}?",
     "Who takes care of {a} as a job?", "Name a person who works with {a}.",
     "Which job deals with {a}?"],
    ["{B} works with {a}."],
    follow=True, weight=0.8)

WHERE = Relation(
    "landmark", table("""
the Eiffel Tower|Paris, in France;the Colosseum|Rome, in Italy
Big Ben|London, in the United Kingdom;the Statue of Liberty|New York, in the United States
the Great Wall|China;the Taj Mahal|Agra, in India;the Acropolis|Athens, in Greece
Machu Picchu|Peru;the Great Pyramid|Egypt;Mount Fuji|Japan
Mount Everest|the Himalayas, between Nepal and China;the Kremlin|Moscow, in Russia
the Brandenburg Gate|Berlin, in Germany;the Sahara|Africa;the Amazon|South America
the Nile|Africa;the Grand Canyon|the United States;the Alps|Europe;the Andes|South America
Mount Kilimanjaro|Tanzania;the Louvre|Paris, in France;the Danube|Europe"""),
    ["Where is {a}?", "Where can I find {a}?", "Where is {a} located?", "In which place is {a}?",
     "Where would I see {a}?", "Tell me where {a} is."],
    ["{A} is in {b}."],
    follow=True, weight=1.5)

ROMANS = Relation(
    "Roman numeral", table("""
1|I;2|II;3|III;4|IV;5|V;6|VI;7|VII;8|VIII;9|IX;10|X;11|XI;12|XII;15|XV;20|XX;50|L;100|C;500|D
1000|M"""),
    ["What is {a} as a Roman numeral?", "How do you write {a} in Roman numerals?",
     "Write {a} as a Roman numeral.", "What is the Roman numeral for {a}?",
     "Which Roman numeral stands for {a}?", "Give me the Roman numeral of {a}."],
    ["The Roman numeral for {a} is {b}."],
    weight=0.8)

NUMBER_WORDS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen "
                "fourteen fifteen sixteen seventeen eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def number_word(n):
    """0..100 in words."""
    if n == 100:
        return "one hundred"
    if n < 20:
        return NUMBER_WORDS[n]
    return TENS[n // 10 - 2] + ("-" + NUMBER_WORDS[n % 10] if n % 10 else "")


WORDS = Relation(
    "number word", [(str(n), number_word(n)) for n in range(101)],
    ["How do you write {a} in words?", "Write {a} in words.", "Spell the number {a}.",
     "What is {a} in words?", "Write the number {a} as a word.",
     "How is the number {a} written in words?"],
    ["{a} in words is {b}."],
    ["Write {b} in digits.", "What is {b} in digits?", "Write the number {b} with digits.",
     "Which number is {b}?"],
    ["{B} in digits is {a}."])

# Single facts: (ways to ask, answer, what it must contain). The ways are separated by '/'; the
# generator adds the question mark.
SINGLES = [
    ("What is the largest planet/Which planet is the largest/Which planet is the biggest/"
     "What is the biggest planet in the solar system/Name the largest planet",
     "The largest planet in the solar system is Jupiter.", "Jupiter"),
    ("What is the smallest planet/Which planet is the smallest/Name the smallest planet/"
     "Which planet is the smallest of all/Tell me the smallest planet",
     "The smallest planet in the solar system is Mercury.", "Mercury"),
    ("Which planet has famous rings/What planet has rings/Which planet is known for its rings/"
     "Name the planet with the big rings",
     "Saturn is the planet that is famous for its rings.", "Saturn"),
    ("Which planet is called the red planet/What is the red planet/Which planet looks red/"
     "Which planet do people call the red planet",
     "Mars is called the red planet.", "Mars"),
    ("Which planet is the hottest/What is the hottest planet/Name the hottest planet/"
     "Tell me which planet is the hottest",
     "Venus is the hottest planet.", "Venus"),
    ("Which planet do we live on/On which planet do people live/What planet is our home/"
     "Where do humans live in the solar system",
     "We live on planet Earth.", "Earth"),
    ("What is the Sun/What kind of object is the Sun/Is the Sun a star/Tell me what the Sun is/"
     "What sort of thing is the Sun",
     "The Sun is a star. The planets move around it.", "star"),
    ("What is the Moon/Tell me what the Moon is/What does the Moon move around/"
     "What kind of thing is the Moon",
     "The Moon moves around the Earth. It takes about a month.", "Earth"),
    ("Does the Earth go around the Sun/What does the Earth move around/What does the Earth orbit/"
     "What do the planets move around",
     "The Earth and the other planets move around the Sun.", "Sun"),
    ("What is the largest ocean/Which ocean is the largest/Which ocean is the biggest/"
     "Name the biggest ocean/What is the biggest ocean on Earth",
     "The largest ocean is the Pacific Ocean.", "Pacific"),
    ("What is the smallest ocean/Which ocean is the smallest/Name the smallest ocean/"
     "Tell me the smallest ocean",
     "The smallest ocean is the Arctic Ocean.", "Arctic"),
    ("What is the largest continent/Which continent is the largest/Which continent is the biggest/"
     "Name the biggest continent",
     "The largest continent is Asia.", "Asia"),
    ("What is the smallest continent/Which continent is the smallest/Name the smallest continent/"
     "Tell me the smallest continent",
     "The smallest continent is Australia.", "Australia"),
    ("What is the highest mountain/Which mountain is the highest/"
     "Name the highest mountain on Earth/What is the tallest mountain/"
     "Which mountain is the tallest",
     "The highest mountain on Earth is Mount Everest.", "Everest"),
    ("What is the largest animal/Which animal is the largest/What is the biggest animal on Earth/"
     "Which animal is the biggest/Name the biggest animal",
     "The largest animal is the blue whale.", "blue whale"),
    ("What is the fastest land animal/Which animal runs fastest/Which land animal is the fastest/"
     "Name the fastest animal on land",
     "The fastest land animal is the cheetah.", "cheetah"),
    ("What is the tallest animal/Which animal is the tallest/Name the tallest animal/"
     "Which animal has the longest neck",
     "The tallest animal is the giraffe.", "giraffe"),
    ("Which animal is the king of the jungle/What animal is called the king of the animals/"
     "Who is the king of the animals/Which animal do people call king",
     "The lion is called the king of the animals.", "lion"),
    ("Which bird cannot fly/Name a bird that cannot fly/Tell me a bird that does not fly/"
     "Is there a bird that cannot fly",
     "Penguins and ostriches are birds that cannot fly.", "enguin"),
    ("At what temperature does water boil/When does water boil/What is the boiling point of water/"
     "How hot is boiling water/Tell me the boiling point of water",
     "Water boils at 100 degrees Celsius at sea level.", "100"),
    ("At what temperature does water freeze/When does water freeze/"
     "What is the freezing point of water/How cold is freezing water/"
     "Tell me the freezing point of water",
     "Water freezes at 0 degrees Celsius.", "0 degrees"),
    ("What is ice/What is ice made of/Tell me what ice is/What do we call frozen water/"
     "What is frozen water called",
     "Ice is frozen water.", "rozen"),
    ("What is steam/Tell me what steam is/What does water become when it boils/"
     "What do you get when water boils",
     "Steam is water that has become a gas.", "gas"),
    ("What is water made of/Which elements make water/What is the formula of water/"
     "What is the chemical formula of water/What is H2O",
     "Water is made of hydrogen and oxygen. Its formula is H2O.", "hydrogen"),
    ("What do plants need to grow/What do plants need/What does a plant need/"
     "Tell me what plants need to live",
     "Plants need light, water and air to grow.", "light"),
    ("What do bees make/What do bees produce/Which food do bees make/What is made by bees",
     "Bees make honey.", "honey"),
    ("What do cows give us/What do we get from cows/What drink comes from cows/"
     "Where does milk come from",
     "Cows give us milk.", "ilk"),
    ("What do we get from sheep/What do sheep give us/Where does wool come from/"
     "What is made by sheep",
     "Sheep give us wool.", "ool"),
    ("What is bread made of/What do you need for bread/How is bread made/What is in bread",
     "Bread is made of flour, water, salt and yeast.", "flour"),
    ("What is cheese made of/How is cheese made/What do you need for cheese/"
     "From what is cheese made",
     "Cheese is made from milk.", "milk"),
    ("What is paper made of/From what is paper made/What is paper made from/How is paper made",
     "Paper is made from wood.", "wood"),
    ("What is glass made of/From what is glass made/What is glass made from/How is glass made",
     "Glass is made from sand.", "sand"),
    ("What are the seasons/Name the four seasons/Which seasons are there/List the seasons/"
     "What are the four seasons",
     "The four seasons are spring, summer, autumn and winter.", "summer"),
    ("Which season is the coldest/What is the coldest season/When is it cold/"
     "Name the coldest season",
     "Winter is the coldest season.", "inter"),
    ("Which season is the warmest/What is the warmest season/When is it warm/"
     "Name the hottest season",
     "Summer is the warmest season.", "ummer"),
    ("What season comes after winter/Which season follows winter/What comes after winter/"
     "Name the season after winter",
     "Spring comes after winter.", "pring"),
    ("What season comes after summer/Which season follows summer/What comes after summer/"
     "Name the season after summer",
     "Autumn comes after summer.", "utumn"),
    ("What are the primary colours/Name the primary colours of paint/Which colours are primary/"
     "List the primary colours",
     "The primary colours of paint are red, yellow and blue.", "yellow"),
    ("What are the colours of the rainbow/Name the colours of the rainbow/"
     "List the rainbow colours/Which colours are in a rainbow",
     "The colours of the rainbow are red, orange, yellow, green, blue, indigo and violet.",
     "indigo"),
    ("What are the days of the week/Name the days of the week/List the days of the week/"
     "Which days are in a week",
     "The days of the week are Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday.",
     "Wednesday"),
    ("What are the months of the year/Name the months/List the months of the year/"
     "Which months are in a year",
     "The months are January, February, March, April, May, June, July, August, September, "
     "October, November and December.", "October"),
    ("What are the planets/Name the planets/List the planets of the solar system/"
     "Which planets are there",
     "The planets are Mercury, Venus, Earth, Mars, Jupiter, Saturn, Uranus and Neptune.", "Saturn"),
    ("What are the continents/Name the continents/List the continents/Which continents are there",
     "The continents are Africa, Antarctica, Asia, Australia, Europe, North America and South "
     "America.", "Africa"),
    ("What are the oceans/Name the oceans/List the oceans/Which oceans are there",
     "The oceans are the Pacific, the Atlantic, the Indian, the Southern and the Arctic Ocean.",
     "Atlantic"),
    ("Which days are the weekend/What days are the weekend/When is the weekend/"
     "Which days make the weekend",
     "The weekend is Saturday and Sunday.", "Saturday"),
    ("What is the first day of January called/What is New Year's Day/When is New Year's Day/"
     "When does the year begin/When does a year start",
     "The year begins on the first of January, New Year's Day.", "January"),
    ("When is Christmas/When is Christmas Day/On which day is Christmas/"
     "What is the date of Christmas",
     "Christmas Day is on the 25th of December.", "25"),
    ("What is the shortest month/Which month is the shortest/Which month has the fewest days/"
     "Name the shortest month",
     "The shortest month is February.", "February"),
    ("What is a leap year/Tell me what a leap year is/What happens in a leap year/"
     "How is a leap year different",
     "A leap year has 366 days. February then has 29 days.", "366"),
    ("What do we breathe/Which gas do we need to breathe/What do people need to breathe/"
     "Which gas do humans need",
     "We need oxygen to breathe.", "oxygen"),
    ("What does the heart do/What is the heart for/Why do we have a heart/"
     "What is the job of the heart",
     "The heart pumps blood through the body.", "blood"),
    ("What do we see with/With what do we see/Which part of the body sees/What are eyes for",
     "We see with our eyes.", "eyes"),
    ("What do we hear with/With what do we hear/Which part of the body hears/What are ears for",
     "We hear with our ears.", "ears"),
    ("What do we smell with/With what do we smell/Which part of the body smells/"
     "What is the nose for",
     "We smell with our nose.", "nose"),
    ("What are the five senses/Name the five senses/List the senses/Which senses do people have",
     "The five senses are sight, hearing, smell, taste and touch.", "taste"),
    ("In which direction does the Sun rise/Where does the Sun rise/From where does the Sun rise/"
     "In which part of the sky does the Sun rise",
     "The Sun rises in the east.", "east"),
    ("In which direction does the Sun set/Where does the Sun set/"
     "In which part of the sky does the Sun set/Where does the Sun go down",
     "The Sun sets in the west.", "west"),
    ("What are the four directions/Name the four directions/List the compass directions/"
     "Which directions are on a compass",
     "The four directions are north, east, south and west.", "south"),
    ("Who wrote Romeo and Juliet/Who wrote Hamlet/Who is the author of Hamlet/"
     "Who is the author of Romeo and Juliet",
     "William Shakespeare wrote Hamlet and Romeo and Juliet.", "Shakespeare"),
    ("Who painted the Mona Lisa/Which painter made the Mona Lisa/"
     "Who is the painter of the Mona Lisa/The Mona Lisa was painted by whom",
     "Leonardo da Vinci painted the Mona Lisa.", "Leonardo"),
    ("Who was the first person on the Moon/Who walked on the Moon first/"
     "Who first walked on the Moon/Name the first man on the Moon",
     "Neil Armstrong was the first person on the Moon, in 1969.", "Armstrong"),
    ("Who was Albert Einstein/Who is Albert Einstein/What is Albert Einstein known for/"
     "Tell me about Albert Einstein",
     "Albert Einstein was a physicist. He is known for the theory of relativity.", "physicist"),
    ("Who was Isaac Newton/Who is Isaac Newton/What is Isaac Newton known for/"
     "Tell me about Isaac Newton",
     "Isaac Newton was a physicist. He is known for the laws of motion and gravity.", "gravity"),
    ("Who was Marie Curie/Who is Marie Curie/What is Marie Curie known for/"
     "Tell me about Marie Curie",
     "Marie Curie was a scientist who studied radioactivity. She won two Nobel prizes.",
     "radioactivity"),
    ("Who was Charles Darwin/Who is Charles Darwin/What is Charles Darwin known for/"
     "Tell me about Charles Darwin",
     "Charles Darwin was a scientist. He is known for the theory of evolution.", "evolution"),
    ("Who was Ada Lovelace/Who is Ada Lovelace/What is Ada Lovelace known for/"
     "Tell me about Ada Lovelace",
     "Ada Lovelace wrote the first published computer program, in the nineteenth century.",
     "program"),
    ("Who was Alan Turing/Who is Alan Turing/What is Alan Turing known for/"
     "Tell me about Alan Turing",
     "Alan Turing was a mathematician. He is known as a founder of computer science.", "computer"),
    ("Who was Mozart/Who is Mozart/What is Mozart known for/Tell me about Mozart",
     "Mozart was a composer who was born in Salzburg.", "composer"),
    ("What is gravity/Tell me what gravity is/What does gravity do/Why do things fall/"
     "Why do things fall down",
     "Gravity is the force that pulls things towards the ground.", "pulls"),
    ("What is a computer/Tell me what a computer is/What does a computer do/"
     "Explain what a computer is",
     "A computer is a machine that follows a program and works with numbers.", "machine"),
    ("What is a program/Tell me what a program is/What does a program do/Explain what a program is",
     "A program is a list of instructions that a computer follows.", "instructions"),
    ("What is a CPU/Tell me what a CPU is/What does a CPU do/Explain what a CPU is",
     "A CPU is the part of a computer that runs programs.", "runs programs"),
    ("What is a GPU/Tell me what a GPU is/What does a GPU do/Explain what a GPU is",
     "A GPU is a processor that does many calculations at the same time.", "processor"),
    ("What is a prime number/Tell me what a prime number is/Explain prime numbers/"
     "When is a number prime",
     "A prime number is a number above 1 that can only be divided by 1 and by itself.", "divided"),
    ("What is an even number/When is a number even/Tell me what an even number is/"
     "Explain even numbers",
     "An even number can be divided by 2 without a rest.", "divided"),
    ("What is pi/How large is pi/Tell me the value of pi/What is the number pi",
     "Pi is about 3.14. It is the circumference of a circle divided by its diameter.", "3.14"),
    ("What is the speed of light/How fast is light/Tell me the speed of light/"
     "How fast does light travel",
     "Light travels at about 300,000 kilometres per second.", "300,000"),
    ("What is a rainbow/Tell me what a rainbow is/When do we see a rainbow/How does a rainbow form",
     "A rainbow forms when sunlight shines through drops of water.", "sunlight"),
    ("Why is the sky blue/What makes the sky blue/Tell me why the sky is blue/"
     "Why does the sky look blue",
     "The sky looks blue because the air scatters blue light more than red light.", "scatters"),
    ("What is the longest river in Africa/Which river in Africa is the longest/"
     "Name the longest river of Africa/Which African river is the longest",
     "The longest river in Africa is the Nile.", "Nile"),
    ("What is the largest country/Which country is the largest/Which country is the biggest/"
     "Name the largest country",
     "The largest country by area is Russia.", "Russia"),
    ("What is the smallest country/Which country is the smallest/Name the smallest country/"
     "Tell me the smallest country",
     "The smallest country is Vatican City.", "Vatican"),
    ("What is the largest desert in Africa/Which desert is in Africa/"
     "Name the big desert of Africa/What is the big desert in Africa",
     "The Sahara is the largest desert in Africa.", "Sahara"),
    ("What is the opposite of yes/What is not yes/Which word is the opposite of yes/"
     "Tell me the opposite of yes",
     "The opposite of yes is no.", "no"),
    ("What is the first letter of the alphabet/Which letter is first in the alphabet/"
     "Which letter does the alphabet start with/Name the first letter",
     "The first letter of the alphabet is A.", "A"),
    ("What is the last letter of the alphabet/Which letter is last in the alphabet/"
     "Which letter does the alphabet end with/Name the last letter",
     "The last letter of the alphabet is Z.", "Z"),
    ("What are the vowels/Which letters are vowels/Name the vowels/List the vowels",
     "The vowels are A, E, I, O and U.", "U"),
]

LETTERS = [chr(65 + i) for i in range(26)]
LETTER_NEXT = Relation(
    "letter after", list(zip(LETTERS[:-1], LETTERS[1:])),
    ["Which letter comes after {a}?", "What letter follows {a}?", "What is the letter after {a}?",
     "After {a}, which letter is next?", "Name the letter after {a}.", "Which letter follows {a}?"],
    ["The letter after {a} is {b}."],
    weight=0.8)

RELATIONS = [CAPITALS, CONTINENTS, LANGUAGES, COLOURS, MIXES, DAY_NEXT, DAY_BEFORE, MONTH_NEXT,
             MONTH_BEFORE, MONTH_DAYS, MONTH_ORDER, PLANET_ORDER, LEGS, SOUNDS, YOUNG, CLASSES,
             HOMES, FOODS, UNITS, SHAPES, OPPOSITES, PLURALS, PASTS, ELEMENTS, JOBS, WHERE,
             ROMANS, WORDS, LETTER_NEXT]
