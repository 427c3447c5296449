"""Strings and prompts of goldens/tokenizer. Random ones come from SEED."""

SEED = 2020
RANDOM = 60

ENGLISH = """Hello world
 Hello world
  Hello  world
Hello world 
Describe the image.
What are these?
The quick brown fox jumps over the lazy dog.
THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG!
the-quick_brown.fox/jumps\\over:the;lazy,dog
I'm you're he's she'll we've they'd isn't it'll
I'M YOU'RE HE'S SHE'LL WE'VE THEY'D ISN'T IT'LL
I'm You'Re hE's wE'Ve tHeY'd It'lL don'T
's 't 're 've 'm 'll 'd
'S'T'RE'VE'M'LL'D
'sss 'tt 'red 'very 'mm 'lll 'dd
''s ' s '
don''t can't'''t
it’s don’t we’re
rock'n'roll o'clock 'twas y'all'd've
'x 'y 'ab
John's dogs' bones
He said "hello" and 'goodbye'.
Mr. Smith's e-mail: someone@example.com, https://example.com/a?b=c&d=%20#frag
antidisestablishmentarianism
pneumonoultramicroscopicsilicovolcanoconiosis
a b c d e f g
A.B.C. D.E.F.
...
. . .
!!!???!?!?
----==== ++++ ####
(parentheses) [brackets] {braces} <angles>
snake_case camelCase PascalCase kebab-case SCREAMING_SNAKE
naïve café résumé Zoë coöperate
Ünïcödé Tëxt wíth áccents
50% off! $9.99 €10 £5 ¥100 ₹20 ₿1
1st 2nd 3rd 4th 21st
x² + y³ = z⁴
½ ¼ ¾ ⅓ ⅔ Ⅷ ⅸ ① ② ⑳ ㊿
0123456789
1 12 123 1234 12345 123456
3.14159 -2.71828 1e-9 0x1F600 0b1010 1,000,000
2024-05-17T12:34:56.789Z
192.168.0.1:8080
+1 (555) 010-9999
v1.2.3-beta.4+build.5
a1b2c3 1a2b3c
١٢٣٤٥ १२३४५ ৪৫৬ ๑๒๓
１２３ ａｂｃ ＡＢＣ""".split("\n")

CODE = [
    "def f(x):\n    return x + 1\n",
    "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}\n",
    '#include <stdio.h>\n\nint main(void) {\n    printf("hi\\n");\n    return 0;\n}\n',
    "if (a && b || !c) { return a ? b : c; }",
    "SELECT * FROM t WHERE id = 42 AND name LIKE '%x%';",
    '<div class="a b"><p>text &amp; more</p></div>',
    '{"key": [1, 2.5, null, true], "s": "\\u00e9"}',
    "let x = |a: &'static str| -> Vec<u8> { a.bytes().collect() };",
    "const f = async () => await g?.(x ?? 1);",
    "\\begin{equation} \\frac{a}{b} = \\sqrt{c^2} \\end{equation}",
    "git commit -m 'fix: bug' && git push --force-with-lease",
    "```python\nprint('hi')\n```",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "# Title\n\n* item\n* item\n\n1. one\n2. two\n",
    "std::vector<std::unique_ptr<T>> v{};",
    "x+=1;y-=2;z*=3;w/=4;",
    "a=b==c!=d<=e>=f<<g>>h",
    "// comment\r\n/* block */\r\n",
    "C:\\Users\\name\\file.txt",
    "/usr/local/bin/../lib",
    "@decorator\nclass A(B, metaclass=C): ...",
    "$VAR ${VAR} $(cmd) `cmd`",
]

SPACES = [
    "",
    " ",
    "  ",
    "   ",
    "\t",
    "\t\t",
    "\n",
    "\n\n",
    "\n\n\n",
    "\r",
    "\r\n",
    "\r\n\r\n",
    "\n\r",
    " \n",
    "\n ",
    " \n ",
    "  \n  ",
    "a\nb",
    "a \nb",
    "a\n b",
    "a \n b",
    "a  \n  b",
    "a\n\nb",
    "a\n\n\n\nb",
    "a\r\nb",
    "a\rb",
    "a\tb",
    "a\t\tb",
    "a \t b",
    "\ta",
    "a\t",
    "a   b",
    "a    b",
    "   a",
    "a   ",
    "a   \n",
    "\n   a",
    "   \n   \n   a",
    " \t\n\r\x0b\x0c ",
    "a\x0bb",
    "a\x0cb",
    "a\u00a0b",
    "a\u00a0\u00a0b",
    "\u2003a\u2003",
    "a\u2028b\u2029c",
    "a\u3000b",
    "\u3000\u3000a",
    "a\u0085b",
    "a\u200bb",
    "a\u200b \u200bb",
    "\ufeffa",
    "a\u2060b",
    "a\u180eb",
    "a\u1680b",
    "a\u2007\u202f\u205fb",
    "!\n",
    "! \n",
    "!\n\n",
    "!\r\n a",
    "a!\n\n\nb",
    "...\n...\r\n...",
    " !",
    "  !",
    " !!\n\n",
    "? ?",
    "a ?b",
    " a b",
    "x \n\n y",
    "x\n \n y",
    "x \r\n y",
    "1 2",
    "1  2",
    " 1",
    "  1",
    "\n1",
    " \n1",
    "1\n",
    "a1",
    "1a",
    " 's",
    "  's",
    "\n's",
    "a 's",
    "word " * 8,
    " word" * 8,
    "\n" * 20,
    " " * 17,
    "\t" * 9,
    " \n" * 6,
    "a" + " " * 40 + "b",
    " " * 100,
]

SCRIPTS = """你好，世界！
这是一个测试。请描述这张图片。
我喜歡學習繁體中文
東京都渋谷区でラーメンを食べました。
ひらがな カタカナ 漢字 ｶﾀｶﾅ
こんにちは、世界。お元気ですか？
안녕하세요 세계
한국어 텍스트를 토큰화합니다.
Привет, мир! Как дела?
ПРИВЕТ мир ё Ё
Γειά σου Κόσμε
Ελληνικά: άλφα, βήτα, γάμμα
مرحبا بالعالم
السَّلامُ عَلَيْكُمْ
العربية ١٢٣ نص، مع علامات؟
שלום עולם
שָׁלוֹם עֲלֵיכֶם
नमस्ते दुनिया
हिन्दी में लिखा हुआ पाठ, क्षत्रिय ज्ञान
कि की कु कू कृ के कै को कौ कं कः क्
বাংলা ভাষায় লেখা
தமிழ் மொழி
తెలుగు భాష
ಕನ್ನಡ ಭಾಷೆ
മലയാളം ഭാഷ
ગુજરાતી ભાષા
ਪੰਜਾਬੀ ਭਾਸ਼ਾ
ສະບາຍດີ ລາວ
สวัสดีชาวโลก
ภาษาไทยไม่มีการเว้นวรรค
မြန်မာဘာသာ
ភាសាខ្មែរ
བོད་སྐད།
ქართული ენა
Հայերեն լեզու
አማርኛ ቋንቋ
ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ
ᐃᓄᒃᑎᑐᑦ
Tiếng Việt có dấu: ắ ằ ẳ ẵ ặ
Türkçe: ğ Ğ ı I i İ ş Ş
Íslenska: þ ð æ ö
Čeština: ě š č ř ž ý á í é ů
Polski: ąćęłńóśźż
Magyar: őű ŐŰ
Română: ăâîșț
Lietuvių: ėįųū
Ǆ ǅ ǆ ﬁ ﬂ ﬀ ſ ß ẞ
𝕳𝖊𝖑𝖑𝖔 𝓌𝑜𝓇𝓁𝒹 𝟘𝟙𝟚
𐍈 𐤀𐤁 𒀀 𓀀 𠀀𠮷
🄰🄱🄲 Ⓐⓑⓒ
mixed 中文English混合 テスト123 текст""".split("\n")

EMOJI = [
    "😀",
    "😀😃😄",
    "🎉 party 🎉",
    "👍🏽",
    "👍🏻👍🏿",
    "👨‍👩‍👧‍👦",
    "👩🏽‍💻",
    "🏳️‍🌈",
    "🏴‍☠️",
    "🇩🇪🇫🇷🇯🇵",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "❤️",
    "❤",
    "☺️ ☺",
    "1️⃣2️⃣#️⃣*️⃣",
    "©️ ® ™️",
    "I ❤️ NY",
    "text😀text",
    "😀text😀",
    "a😀 b",
    "🤷🏾‍♂️",
    "🧑‍🚀🪐",
    "♥♦♣♠",
    "→ ← ↑ ↓ ⇒",
    "∑∏∫√∞≈≠≤≥",
    "☃☂☀☁",
    "♩♪♫♬",
    "▀▄█▌▐░▒▓",
    "┌─┐│└─┘",
    "🀀🀄🂡🃏",
    "⌘⌥⇧⏎",
    "٩(◕‿◕)۶",
    "¯\\_(ツ)_/¯",
    "(╯°□°)╯︵ ┻━┻",
]

NORMAL = [  # NFC against NFD and others
    "caf\u00e9",
    "cafe\u0301",
    "\u00c5",
    "A\u030a",
    "\u212b",
    "\ud55c\uae00",
    "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "o\u0302\u0301",
    "\u1ed1",
    "e\u0301e\u0300e\u0302",
    "q\u0307\u0323",
    "q\u0323\u0307",
    "\u0958",
    "\u0915\u093c",
    "\u2126",
    "\u03a9",
    "\u00b5\u03bc",
    "\ufb01",
    "n\u0303o",
    "\u0301abc",
    "a\u0301\u0301\u0301",
    "x\u0332y\u0332z\u0332",
    "Z\u0351\u036b\u0343a\u0334\u0328l\u0322g\u0321o\u0322",
    "\u0344",
    "\u0340\u0341",
    "\u1fef",
    "\u037e",
    "\u0387",
    "\u2000a\u2001b",
    "\ufa0e\ufa10",
    "\u2f800",
    "\uf900\uf901",
    "\u0f43",
    "\u0f42\u0fb7",
    "ab\u00adcd",
    "\u0130",
    "I\u0307",
    "'\u017f 'S '\u017f",
    "x'\u017f",
    "\u212a \u017f",
    "it'\u017false",
    "\u0327\u0301c",
    "c\u0301\u0327",
]

CONTROL = [
    "\x00",
    "a\x00b",
    "\x01\x02\x03",
    "\x07\x08\x1b[31mred\x1b[0m",
    "\x7f",
    "\x80\x81\x9f",
    "a\x1cb\x1dc\x1ed\x1fe",
    "\ue000\uf8ff",
    "\ufffd",
    "\ufffe\uffff",
    "\U0010ffff",
    "\U000e0001\U000e0020",
    "\u202eabc\u202c",
    "\u200e\u200f",
    "\u061c",
    "a\u034fb",
    "\ufff9\ufffa\ufffb",
]

SPECIAL = [
    "<|im_end|>",
    "<|im_start|>",
    "<|endoftext|>",
    "<image>",
    "<|im_start|>user\nhi<|im_end|>\n",
    "a<|im_end|>b",
    " <|im_end|> ",
    "<|im_end|><|im_end|>",
    "<|im_end|",
    "<|im_end|>>",
    "<<|im_end|>",
    "<|IM_END|>",
    "< |im_end|>",
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n",
    "\n<|im_end|>\n",
    "<|endoftext|><|im_start|>",
    "<image>\nWhat?",
    "a <image> b",
    "<image><image>",
    "<Image>",
    "<imag",
    "<image",
    "<|im_\u0073tart|>",
    "cafe\u0301<|im_end|>e\u0301",
    "e<|im_end|>\u0301",
    "<s>",
    "</s>",
    "<unk>",
    "[INST] hi [/INST]",
    "<|user|>",
    "<0x0A>",
    "\u2581",
    "\u2581hello \u2581",
    "\u0120\u010a",
    "▁▁▁",
]

LONG = [
    "a" * 300,
    "ab" * 200,
    "x1" * 100,
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
    "中" * 120,
    "😀" * 40,
    "=" * 130,
    "-" * 77,
    "!" * 65,
    "0" * 70,
    "\u0915\u094d" * 40,
    "supercalifragilisticexpialidocious" * 6,
    "é" * 90,
    "e\u0301" * 90,
]

STRINGS = ENGLISH + CODE + SPACES + SCRIPTS + EMOJI + NORMAL + CONTROL + SPECIAL + LONG

SYSTEM = "You are a helpful assistant."
PROMPTS = [  # (system, [(question, answer or None), ...], image in the first turn)
    (SYSTEM, [("Describe the image.", None)], True),
    (SYSTEM, [("What are these?", None)], True),
    (SYSTEM, [("Describe the image.", None)], False),
    (SYSTEM, [("What is on the table?", "A cup of coffee."), ("What colour is it?", None)], True),
    (SYSTEM, [("Hi", "Hello!"), ("Who are you?", "I'm an assistant."), ("OK\n\nbye", None)], False),
    (SYSTEM, [("图片里有什么？", "一只猫。"), ("它是什么颜色？", None)], True),
    (SYSTEM, [("", None)], True),
    (SYSTEM, [(" leading and trailing ", None)], True),
    (SYSTEM, [("line one\nline two\n", None)], True),
    (
        SYSTEM,
        [("Describe the image in English. Output should be brief, about 15 words or less.", None)],
        True,
    ),
    (
        SYSTEM,
        [("What is this person's facial expression? Output only one or two words.", None)],
        True,
    ),
    (SYSTEM, [("😀 What's 1+1?", None)], True),
    ("Answer in one word.", [("Cat or dog?", None)], True),
    (SYSTEM, [("first <image> second", None)], True),  # a literal placeholder is a second picture
]
