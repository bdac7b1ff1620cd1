"""tokenizer_texts.py - the texts that tokenizers are trained on and compared over.

Everything is written here; nothing is downloaded. corpus() gives training text, probes() the texts
to compare, as bytes: some are not valid UTF-8.
"""
import random

SENTENCES = [
    "The quick brown fox jumps over the lazy dog, and the dog doesn't mind at all.",
    "I'm sure they'll say we've done it; she'd rather you're not told what he's seen.",
    "DON'T SHOUT! IT'S LATE, WE'RE TIRED, YOU'LL WAKE THEM. I'M SERIOUS, they'D say.",
    "In 1969 about 650000000 people watched; 3.14159 is near 22/7, and 1,234,567.89 is not.",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. Äpfel, Öl, Übermut, Straße.",
    "Portez ce vieux whisky au juge blond qui fume; l'été, ça va bien à côté de la forêt, où naît l'œuvre.",
    "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío: ¡qué añoranza! ¿Dónde está?",
    "Příliš žluťoučký kůň úpěl ďábelské ódy. Zażółć gęślą jaźń. Árvíztűrő tükörfúrógép.",
    "Pijamalı hasta yağız şoföre çabucak güvendi. İstanbul'da IŞIK ılık ılık akıyor.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Ёлка, подъезд, 25 рублей.",
    "Щастя б'ється об ґрати. Нещо на български език, а після — українською: їжак, є, і.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Καλημέρα, κόσμε! ΑΒΓ ς σ Σ.",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה. שָׁלוֹם עוֹלָם.",
    "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر. السَّلَامُ عَلَيْكُمْ ١٢٣٤٥",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश। क्षत्रिय १२३४",
    "আমার সোনার বাংলা, আমি তোমায় ভালোবাসি। ১২৩",
    "யாமறிந்த மொழிகளிலே தமிழ்மொழி போல் இனிதாவது எங்கும் காணோம்",
    "నేను తెలుగు మాట్లాడతాను. ಕನ್ನಡ ನಾಡು. മലയാളം ഭാഷ.",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน ๑๒๓",
    "កាន់តែពិសេសអាចខលចេញ ខ្ញុំចង់ញ៉ាំបាយ។ ລາວ ພາສາ. မြန်မာဘာသာ",
    "我想在apple工作1314151天～ 今天天气很好，我们去公园散步吧！「你好」，他说：“再见”。",
    "天地玄黃，宇宙洪荒。日月盈昃，辰宿列張。寒來暑往，秋收冬藏。𠮷野家 𡃁",
    "いろはにほへと ちりぬるを わかよたれそ つねならむ。カタカナとひらがな、漢字を書く。ｶﾀｶﾅ",
    "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. 안녕하세요, 세계!",
    "Mấy đứa trẻ đang chơi đùa ngoài vườn. Tiếng Việt có nhiều dấu: ắ ằ ẳ ẵ ặ.",
    "ქართული ენა. Հայերեն լեզու։ አማርኛ ቋንቋ። ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ. ᐃᓄᒃᑎᑐᑦ. བོད་སྐད།",
    "🚀 (normal) 😶‍🌫️ (multiple emojis concatenated) ✅ 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 👍🏽 🦙🦙 ☺️ ©®™",
    "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, α ∧ ¬β = ¬(¬α ∨ β), 2H₂ + O₂ ⇌ 2H₂O, x² + y³ ≤ ½ ¼ Ⅷ ⅷ ㊿ ①",
]

CODE = [
    "def fib(n: int) -> int:\n    if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)\n\n\n"
    "if __name__ == \"__main__\":\n\tprint([fib(i) for i in range(10)])\n",
    "#include <stdio.h>\n\nint main(void)\n{\n    for (int i = 0; i < 100; ++i) {\n"
    "        printf(\"%d\\n\", i * 0x1F & ~mask);  /* a comment */\n    }\n    return 0;\n}\n",
    "const f = async (x, {y = 1, ...z}) => {\r\n  await fetch(`https://example.com/?q=${x}&n=${y}`);\r\n};\r\n",
    "<html>\n  <body class=\"a b\">\n    <p>Hello&nbsp;World</p>\n  </body>\n</html>\n",
    "SELECT id, name FROM users WHERE age >= 18 AND email LIKE '%@example.com' ORDER BY id DESC;\n",
    "{\"key\": [1, 2.5, -3e10, null, true], \"nested\": {\"a\": \"b\\u00e9\"}}\n",
    "fn main() { let v: Vec<u8> = vec![0; 256]; println!(\"{:?}\", &v[..=10]); }\n",
    "#!/bin/sh\nset -e; for f in *.txt; do echo \"$f\" | sed 's/a\\/b/c/g' >> \"${OUT:-/tmp/x}\" || exit 1; done\n",
]

EDGES = [
    "", " ", "  ", "   ", "\t", "\n", "\n\n", "\n\n\n", "\t\n", " \n", "\r\n", "\r\n\r\n", " \t \n \r\n x",
    "Hello world", " Hello world", "Hello World ", " Hello World!", "Hello, world!", "  Hello", "   Hello   ",
    "    Hello\n    Hello", " (", "\n =", "' era", "Hello, y'all! How are you 😁 ?", "!!!!!!", "3", "33", "333",
    "3333", "33333", "333333", "3333333", "33333333", "333333333", "12 345 6789 1.000.000,00 ٣٣٣٣ ३३३३३ ²³¹ ½¾",
    "a\u00a0b\u2003c\u3000d\u200be\ufefff", "x\u180ey", "e\u0301 é ê̄ a\u0323\u0302 a\u0302\u0323", "ﬁ ﬀ Ⅳ ㎞ ﷺ ①",
    "Å Å K K Ω Ω", "가 가 각", "İstanbul ıI ſs K'ſ 'ſ '𝕤", "I'M I'm I’m we'LL we'll WE'LL 'tis 'S'S 'd'D",
    "http://www.example.com/a_b-c/d.html?x=1&y=%20#frag user@example.com", "snake_case camelCase PascalCase SCREAMING_CASE kebab-case",
    "ABCdef abcDEF aBcDeF ABC123def456", "don't can't won't it's i'd we've you're", "...---===+++***///\\\\\\|||",
    "a" * 100, "ab" * 60, " " * 65, "\n" * 40, "-" * 90, "0" * 50, "é" * 40, "中" * 40, "🙂" * 20, "a b " * 30,
    "<s>", "</s>", "<|endoftext|>", "a<|endoftext|>b", "<|im_start|>user\nhi<|im_end|>\n", " <|endoftext|> ",
    "<|endoftext|><|endoftext|>", "<|im_start|", "[CLS] a [SEP]", "<unk> <pad> [UNK]", "x <|tool|> y", "xtoolx tool",
    "<mask>  z", "  <mask>  z", "\x00", "a\x00b", "\x01\x02\x7f\x80\u0085", "\ufffd", "\u2028\u2029",
    "\U0010ffff\U000e0001", "\U00031350\U000323af \u1c89\u1c8a \U00010d40\U0001e5f1 \u0897\u2427 \U00016d40",
    "ａｂｃ ＡＢＣ １２３ ！？", "۱۲۳ ४५६", "ǅ ǆ ǲ ʰ ʲ ª º", "⁰¹²³ ₀₁₂ ⅓ ⅔", "_ __ ___ ‿ ⁀", "ⓐⓑⒸ 🅰🅱",
    "\u0e01\u0e33 \u0ec0 \u17d2 \u1039", "नि क्ष श्री", "\u1100\u1161\u11a8", "\u200d\u200c\u200e\u200f",
]

# Maximal subparts, overlong forms, surrogates, beyond the last code point, cut tails.
BROKEN = [b"\xff", b"abc\xc0\xafdef", b"\xe2\x82", b"\xe2\x82x \xf0\x9f\x98", b"\xed\xa0\x80\xed\xb0\x80",
          b"caf\xe9 cr\xe8me", b"\xf4\x90\x80\x80 \xf8\x88\x80\x80\x80", b"ok \xc3\xa9\xc3 ok", b"\x80\x81\x82\xfe\xff",
          "日本語".encode("shift_jis"), "привет".encode("cp1251"), b"\xf0\x9f\x92\xa9\xf0\x9f\x92"]


def random_text(rng):
    """A text of short runs from very different ranges."""
    ranges = [(0x20, 0x7e), (0x20, 0x20), (0x61, 0x7a), (0x30, 0x39), (0x09, 0x0d), (0xa0, 0x24f), (0x300, 0x36f),
              (0x370, 0x5ff), (0x600, 0x6ff), (0x900, 0xdff), (0xe00, 0x10ff), (0x1100, 0x1fff), (0x2000, 0x2bff),
              (0x3000, 0x30ff), (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0xf900, 0xffef), (0x10000, 0x1ffff),
              (0x20000, 0x32000), (0xe0000, 0xe01ff)]
    out = []
    for _ in range(rng.randint(1, 12)):
        low, high = rng.choice(ranges)
        out += [chr(rng.randint(low, high)) for _ in range(rng.randint(1, 6))]
        if rng.random() < 0.5:
            out.append(rng.choice([" ", " ", "\n", "'s", "'Re", "  ", "1", "a"]))
    return "".join(c for c in "".join(out) if not 0xd800 <= ord(c) <= 0xdfff)


def corpus():
    """Lines for a trainer: every sentence, with words in new orders, so that pairs repeat."""
    rng = random.Random(1)
    lines = []
    for text in SENTENCES + CODE:
        lines += [text] * 6
        words = text.split(" ")
        for _ in range(12):
            lines.append(" ".join(rng.choice(words) for _ in range(rng.randint(2, 12))))
    for _ in range(200):
        lines.append(f"{rng.randint(0, 10 ** rng.randint(1, 9))} + {rng.random():.4f} = x{rng.randint(0, 99)}")
    for n in (2, 3, 4, 8, 16):
        lines += [" " * n + "indented line", "\t" * n + "tabs", "\n" * n, "=" * n, "." * n, "!" * n] * 4
    return lines


def probes(n_random=60, seed=2):
    """[(bytes, text)]: what is encoded, and the text it stands for."""
    rng = random.Random(seed)
    texts = SENTENCES + CODE + EDGES
    mixed = [" ".join(rng.sample(SENTENCES, 2))[rng.randint(0, 40):][:160] for _ in range(10)]
    out = [t.encode() for t in texts + mixed] + BROKEN
    out += [random_text(rng).encode() for _ in range(n_random)]
    return [(b, b.decode("utf-8", "replace")) for b in out]
