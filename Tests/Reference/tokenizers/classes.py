"""What `tokenizers` makes of every Unicode scalar: classes.py OUT

Read by ReferenceClassesTests (docs/tokenizers.md). Needs: pip install tokenizers.
"""
import json,sys
from tokenizers import Regex, normalizers as N, pre_tokenizers as P, Tokenizer
allc=[chr(c) for c in range(0x110000) if not 0xd800<=c<=0xdfff]
def ranges(cs):
    out=[]
    for c in cs:
        c=ord(c)
        if out and out[-1][1]==c-1: out[-1][1]=c
        else: out.append([c,c])
    return out
res={}
def by_pattern(p):
    pt=N.Replace(Regex(p),"")
    keep=[]
    # replace each char of the class: those that vanish belong
    s=[]
    out=[]
    step=4096
    for i in range(0,len(allc),step):
        chunk=allc[i:i+step]
        left=set(pt.normalize_str("".join(chunk)))
        out+= [c for c in chunk if c not in left]
    return out
for p in [r"\p{L}",r"\p{N}",r"\s",r"\w",r"\d",r"\p{P}",r"\p{S}",r"\p{M}",r"\p{Lu}",r"\p{Han}",r"\p{Hiragana}",r"\p{Katakana}",r"\p{Hangul}",r"\p{Latin}",r"\p{Cyrillic}",r"\p{Thai}",r"\p{Hebrew}",r"[[:alpha:]]",r"[[:alnum:]]",r"[[:punct:]]",r"[[:space:]]",r"[[:upper:]]",r"[[:lower:]]",r"[[:cntrl:]]",r"[[:blank:]]", r"\h", r".", r"(?i:s)", r"(?i:k)", r"(?i:[a-z])", r"(?i:µ)", r"(?i:σ)",r"(?i:ß)",r"[[:graph:]]",r"[[:print:]]"]:
    try: res[p]=ranges(by_pattern(p))
    except Exception as e: print(p,e)
def pretok(pt):
    # chars which split
    return [c for c in allc if len(pt.pre_tokenize_str("漢"+c+"漢"))!=1]
res["pre:Punctuation"]=ranges(pretok(P.Punctuation()))
res["pre:Digits"]=ranges(pretok(P.Digits()))
res["pre:WhitespaceSplit"]=ranges(pretok(P.WhitespaceSplit()))
res["pre:Whitespace"]=ranges(pretok(P.Whitespace()))
low=N.Lowercase()
res["lower"]=[[ord(c),low.normalize_str(c)] for c in allc if low.normalize_str(c)!=c]
for n in ["NFC","NFD","NFKC","NFKD"]:
    f=getattr(N,n)()
    res[n]=[[ord(c),f.normalize_str(c)] for c in allc if f.normalize_str(c)!=c]
    res[n+":order"]=ranges([c for c in allc if f.normalize_str("a\u0301"+c)!=f.normalize_str("a\u0301")+f.normalize_str(c)])
    res[n+":order2"]=ranges([c for c in allc if f.normalize_str("a\u0316"+c)!=f.normalize_str("a\u0316")+f.normalize_str(c)])
sa=N.StripAccents()
res["accents"]=ranges([c for c in allc if sa.normalize_str("x"+c)=="x"])
st=N.Strip()
res["strip"]=ranges([c for c in allc if st.normalize_str(c+"x")=="x"])
json.dump(res,open(sys.argv[1] + "/classes.json", "w"),ensure_ascii=False)
print({k:len(v) for k,v in res.items()})
