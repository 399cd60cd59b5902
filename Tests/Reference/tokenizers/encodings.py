"""Random texts with what `tokenizers` makes of them: encodings.py SHARED OUT [SEED] [COUNT]

Read by ReferenceCasesTests (docs/tokenizers.md). Needs: pip install tokenizers.
"""
import json, random, sys, unicodedata, os
from tokenizers import Tokenizer
shared, out = sys.argv[1:3]
seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
count = int(sys.argv[4]) if len(sys.argv) > 4 else 2000
names = ["gpt2","qwen2.5","qwen3","llama3","smollm2","smollm2-360m-finetune","mistral-v1","../models/stories260K"]
R = random.Random(seed)
ranges = [(0x20,0x7e)]*6+[(0,0x2ff),(0x300,0x36f),(0x370,0x5ff),(0x600,0x10ff),(0x1100,0x11ff),(0x1200,0x1fff),(0x2000,0x206f),(0x2070,0x2fff),(0x3000,0x30ff),(0x4e00,0x9fff),(0xac00,0xd7a3),(0xf900,0xffff),(0x1d400,0x1d7ff),(0x1f300,0x1faff),(0x20000,0x2a6df),(0xe000,0xe100),(0x10000,0x10ffff)]
words = "the of Don't I'M we'll x's 'S 'ſ 'RE'LL 12345 3.14 1,000,000 hello WORLD naïve  \n \t \r\n   — … ▁ ▁▁ <s> </s> <unk> <|im_start|> <|endoftext|> <|eot_id|> <think> </think> <0x0A> e\u0301 한국어 日本語 привет مرحبا 🙂 👨‍👩‍👧 ½ Ⅷ ² ª ß ﬁ Å K".split(" ") + [" ", "  ", "\n\n", "   "]
def assigned(c):
    return unicodedata.category(c) not in ("Cs",)
def text():
    kind = R.random()
    n = R.randint(0, 30)
    if kind < .35: return "".join(R.choice(words) for _ in range(n))
    if kind < .5: return " ".join(R.choice(words) for _ in range(n))
    parts = []
    a, b = R.choice(ranges)
    for _ in range(n):
        if R.random() < .3: a, b = R.choice(ranges)
        if R.random() < .15: parts.append(R.choice(" \n'\t  ."))
        c = chr(R.randint(a, b)) if not 0xd800 <= (x:=R.randint(a,b)) <= 0xdfff else "x"
        if 0xd800 <= ord(c) <= 0xdfff: c = "y"
        parts.append(c)
    return "".join(parts)
texts = [text() for _ in range(count)]
for name in names:
    folder = os.path.join(shared, "tokenizers", name)
    t = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    t.no_padding(); t.no_truncation()
    with open(os.path.join(out, f"encode-{os.path.basename(name)}.jsonl"), "w") as f:
        f.write(json.dumps({"folder": os.path.abspath(folder)})+"\n")
        for s in texts:
            e = t.encode(s, add_special_tokens=False).ids
            f.write(json.dumps({"text": s, "ids": e, "with_special": t.encode(s).ids,"decoded": t.decode(e, skip_special_tokens=False)}, ensure_ascii=False)+"\n")
        V = t.get_vocab_size()
        for _ in range(count//4):
            ids = [R.randrange(V+3) for _ in range(R.randint(0,12))]
            if name in ("mistral-v1","../models/stories260K"): ids = [R.randrange(262) if R.random()<.6 else x for x in ids]
            f.write(json.dumps({"decode_ids": ids, "decoded": t.decode(ids, skip_special_tokens=False), "skipped": t.decode(ids, skip_special_tokens=True)}, ensure_ascii=False)+"\n")
