"""Chat templates with what transformers renders: TZ=UTC templates.py SHARED OUT [FOLDER_OF_JINJA …]

Read by ReferenceCasesTests (docs/tokenizers.md). Needs: pip install transformers jinja2.
"""
import datetime, json, os, sys
from transformers.utils import chat_template_utils as U
NOW=1795348800+12345
class DT(datetime.datetime):
    @classmethod
    def now(cls,tz=None): return datetime.datetime.fromtimestamp(NOW)
U.datetime=DT
shared=sys.argv[1]
out=open(sys.argv[2]+"/template-all.jsonl","w")
def render(tpl,messages,tools,end,variables,special):
    # What tokenizer.apply_chat_template(…, tokenize=False) does.
    texts,_=U.render_jinja_template([U._normalize_chat_messages(messages)],tools=tools,chat_template=tpl,add_generation_prompt=end=="generation_prompt",continue_final_message=end=="continue",**{**special,**variables})
    return texts[0]
n=0
def case(tpl,messages=[],tools=None,end="closed",variables={},special={"bos_token":"<s>","eos_token":"</s>"},label=None):
    global n
    try: text=render(tpl,messages,tools,end,variables,special)
    except Exception as e: text=None
    row={"template":tpl,"messages":messages,"end":end,"variables":variables,"special":special,"now":NOW,"text":text}
    if tools is not None: row["tools"]=tools
    if label: row["label"]=label
    out.write(json.dumps(row,ensure_ascii=False)+"\n"); n+=1
# real templates x messages
T={}
d=shared+"/tokenizers/chat_templates"
for f in os.listdir(d): T[f]=open(d+"/"+f,newline='').read()
for q in ["qwen2.5","qwen3"]: T[q]=json.load(open(shared+f"/tokenizers/{q}/tokenizer_config.json"))["chat_template"]
for extra in sys.argv[3:]:
    for f in os.listdir(extra): T["extra-"+f]=open(extra+"/"+f,newline='').read()
tools=[{"type":"function","function":{"name":"get_weather","description":"Wétter <b>&\"'","parameters":{"type":"object","properties":{"city":{"type":"string","enum":["a","b"]},"n":{"type":"integer","default":3.5},"x":{"type":"boolean","default":True,"nullable":None}},"required":["city"]}}},
       {"type":"function","function":{"name":"f2","description":"","parameters":{"type":"object","properties":{}}}}]
call={"role":"assistant","content":"","tool_calls":[{"type":"function","id":"abcdefghi","function":{"name":"get_weather","arguments":{"city":"Köln","n":1,"l":[1,2.0,None,True]}}}]}
call2={"role":"assistant","content":None,"tool_calls":[{"type":"function","id":"abcdefghi","function":{"name":"get_weather","arguments":"{\"city\": \"x\"}"}}]}
convs=[
 [{"role":"user","content":"Hi"}],
 [{"role":"system","content":"  Sys  \n"},{"role":"user","content":"Hi"}],
 [{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],
 [{"role":"system","content":"S"},{"role":"user","content":"a"},{"role":"assistant","content":"<think>\nfoo\n</think>\n\nbar"},{"role":"user","content":"c"},{"role":"assistant","content":"<think>q</think>z"}],
 [{"role":"user","content":"a"},call,{"role":"tool","content":"{\"t\": 3}","name":"get_weather","tool_call_id":"abcdefghi"},{"role":"assistant","content":"done"}],
 [{"role":"user","content":"a"},call2,{"role":"tool","content":"sun","name":"get_weather","tool_call_id":"abcdefghi"},{"role":"tool","content":"rain"},{"role":"user","content":"ok"}],
 [{"role":"user","content":"a"},dict(call,content="text"),{"role":"tool","content":"x"}],
 [{"role":"assistant","content":"only"}],
 [{"role":"user","content":"x"},{"role":"user","content":"y"}],
 [{"role":"user","content":[{"type":"text","text":"part one"},{"type":"image"},{"type":"text","text":"two"}]}],
 [{"role":"user","content":"e\u0301 é \U0001f600 \r\n tab\t"},{"role":"assistant","content":"r","reasoning_content":"because\n"}],
 [{"role":"user","content":"<tool_response>x</tool_response>"},{"role":"assistant","content":"r","reasoning_content":"because\n"}],
 [{"role":"developer","content":"dev"},{"role":"user","content":""}],
 [],
 # Members that are null, reasoning under each of its names, what tools give, and turns to go on with.
 [{"role":"user","content":"q"},{"role":"assistant","content":None,"tool_calls":[{"id":"abcdefghi","type":"function","function":{"name":"now","arguments":{}}}]},{"role":"tool","content":"12","tool_call_id":"abcdefghi","name":"now"}],
 [{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"abcdefghi","type":"function","function":{"name":"now","arguments":{}}}]},{"role":"tool","content":{"t":3,"u":[1,None,"é"]},"tool_call_id":"abcdefghi","name":"now"}],
 [{"role":"user","content":"q","name":None},{"role":"assistant","content":"a","tool_calls":None,"reasoning_content":None,"reasoning":"why"},{"role":"user","content":"r"},{"role":"assistant","content":"b","reasoning":"hmm"}],
 [{"role":"user","content":"q"},{"role":"assistant","content":"a","thinking":"why"},{"role":"user","content":"r"},{"role":"assistant","content":"b","thinking":"hmm","reasoning":"other"}],
 [{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning_content":"why"},{"role":"user","content":"r"}],
 [{"role":"user","content":"q"},{"role":"assistant","content":"Let me think: "}],
 [{"role":"system","content":"S"},{"role":"user","content":"q"},{"role":"assistant","content":"<think>\nso"}],
 [{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"text","text":"first"},{"type":"text","text":"second"}]}],
]
M='''{{ "<a>"|safe + "<b>" }}|{{ "<b>" + "<a>"|safe }}|{{ "<a>"|e + "<b>" }}|{{ "<a>"|e|e }}|{{ "<a>"|e|forceescape }}|{{ "<a>"|safe ~ "<b>" }}|{{ "<a>"|safe * 2 + "&" }}|{{ ["<a>"|safe] }}|{{ ("%s<x>"|safe) % "<b>" }}|{{ ("%d %r"|safe) % (3, "<b>") }}|{{ "{}<x>"|safe|format }}
{{ ("{} {n}"|safe).format("<b>", n="&") }}|{{ ("<,>"|safe).join(["<b>", "<c>"|safe]) }}|{{ ["<b>", "<c>"|safe]|join("<,>"|safe) }}|{{ ("<a>"|safe)[0] + "<" }}|{{ ("<a>"|safe)[1:] + "<" }}|{{ ("<a> b"|safe).split()[0] + "<" }}|{{ ("<a>"|safe).upper() + "<" }}|{{ "<a>"|safe|upper + "<" }}|{{ "<a>"|safe|title + "<" }}|{{ " <a> "|safe|trim + "<" }}|{{ "<a>"|safe|string + "<" }}
{{ "<a>"|safe|replace("a","<") + "<" }}|{{ ("<a>"|safe).replace("a","<") + "<" }}|{{ ("a<b"|safe).partition("<")[0] + "<" }}|{{ "<a>"|safe == "<a>" }}|{{ "<a>"|safe is escaped }}|{{ "<a>"|safe is string }}|{{ {"a"|safe: 1}["a"] }}|{{ {"a": 1}["a"|safe] }}|{{ "<a>"|safe|tojson }}|{{ "<a>"|safe|length }}|{{ "a" in ("<a>"|safe) }}|{{ ("a"|safe) in "<a>" }}
{{ "<a>"|safe|indent + "<" }}|{{ "<a>"|safe|reverse + "<" }}|{{ "<a>"|safe|center(7) + "<" }}|{{ "<aaaa bbbb>"|safe|truncate(8) + "<" }}|{{ ("%s"|safe)|format("<b>") + "<" }}|{{ "<a>"|safe|default("x") + "<" }}|{{ x|default("<a>"|safe) + "<" }}|{{ ["<a>"]|map("safe")|list }}|{{ ["<a>"]|map("e")|join }}|{{ 1|safe + "<" }}|{{ none|e }}|{{ ("<a>"|safe).ljust(5,"<") + "<" }}|{{ ("a<b"|safe).startswith("a") }}
{% set x %}<a>{{ "<b>"|safe }}{% endset %}{{ x + "<" }}|{% macro m() %}<a>{% endmacro %}{{ m() + "<" }}|{% filter e %}<a>{% endfilter %}|{% set x = "<a>"|safe %}{% set y = x + "<b>" %}{{ y }}|{{ ("<a>"|safe)|tojson|safe + "<" }}|{{ "<a>"|safe is lower }}|{{ ("<b>"|safe) < "<c>" }}|{{ "x" if "<"|safe else "y" }}|{% for c in "<a"|safe %}{{ c + "<" }}{% endfor %}|{{ ("a\\nb"|safe).splitlines() }}
{% if false %}{{ "a"|from_json }}{% endif %}b|{{ "a"|from_json if false else "c" }}|{% if true %}d{% else %}{{ "a" is no_such_test }}{% endif %}|{% if true %}{{ "a"|from_json }}{% endif %}|{% if false %}{% for i in [1] %}{{ i|no_such }}{% endfor %}{% endif %}e'''
for line in M.split("\n"):
    for part in line.split("|{{"):
        case(part if part.startswith("{{") or part.startswith("{%") else "{{"+part)
    case(line)
for name,t in T.items():
    for i,c in enumerate(convs):
        for end in ("closed","generation_prompt","continue"):
            for tl in (None,tools):
                for v in ({},{"enable_thinking":False},{"date_string":"1 Jan 2020","tools_in_user_message":False},{"enable_thinking":True,"builtin_tools":["code_interpreter","brave"]}):
                    case(t,c,tl,end,v,label=f"{name} conv {i} {end} tools {tl is not None} {v}")
# features
E='''{{ 1 + 2 * 3 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ 7 % 3 }}|{{ -7 % 3 }}|{{ 2 ** 10 }}|{{ 7 / 2 }}|{{ 1.5 + 1 }}|{{ 1e3 }}|{{ 1e16 }}|{{ 1.0e-5 }}|{{ 0.1 + 0.2 }}
{{ "a" ~ 1 ~ none ~ true }}|{{ "ab" * 3 }}|{{ [1,2] + [3] }}|{{ (1,) }}|{{ (1,2) }}|{{ {"a": 1, 'b': [1, "x'y", 'q"r']} }}|{{ {} }}|{{ [] }}
{{ 1 if true else 2 }}|{{ 1 if false }}|{{ x if x is defined else "no" }}|{{ not true }}|{{ 1 < 2 < 3 }}|{{ 1 < 2 > 3 }}|{{ 1 == 1.0 }}|{{ true == 1 }}|{{ "a" in "abc" }}|{{ 4 not in [1,2] }}|{{ "k" in {"k": 1} }}
{{ "abc"[0] }}|{{ "abc"[-1] }}|{{ "abc"[1:] }}|{{ "abcdef"[::2] }}|{{ "abcdef"[::-1] }}|{{ [1,2,3][:2] }}|{{ [1,2,3][5] }}|{{ [1,2,3][-1:] }}|{{ "abc"[10:20] }}
{{ "a-b-c".split("-") }}|{{ " a  b ".split() }}|{{ "a-b-c".split("-", 1) }}|{{ "a-b-c".rsplit("-", 1) }}|{{ "xxaxx".strip("x") }}|{{ " q ".lstrip() ~ "." }}|{{ "abc".upper() }}|{{ "ABC".lower() }}|{{ "a b".title() }}|{{ "hello".capitalize() }}
{{ "abc".startswith("ab") }}|{{ "abc".endswith(("x","c")) }}|{{ "abcabc".replace("b","X",1) }}|{{ "abc".find("c") }}|{{ "abc".find("z") }}|{{ "aXbXc".count("X") }}|{{ ",".join(["a","b"]) }}|{{ "{} {x}".format(1, x=2) }}|{{ "%s-%d-%.2f" % ("a", 3, 2.5) }}|{{ "%5s|%-5s|%05d" | format("a","b",42) }}
{{ "abc"|length }}|{{ [1,2]|first }}|{{ [1,2]|last }}|{{ [3,1,2]|sort }}|{{ [3,1,2]|sort(reverse=true) }}|{{ ["b","A","c"]|sort }}|{{ ["b","A"]|sort(case_sensitive=true) }}|{{ [1,2,2,1]|unique|list }}|{{ [1,2,3]|sum }}|{{ [1,2,3]|max }}|{{ [1,2,3]|min }}|{{ [1,2,3]|reverse|list }}|{{ "abc"|reverse }}
{{ [1,2,3]|join("-") }}|{{ [{"a":1},{"a":2}]|map(attribute="a")|list }}|{{ [{"a":{"b":1}}]|map(attribute="a.b")|list }}|{{ ["a","b"]|map("upper")|list }}|{{ [1,2,3,4]|select("even")|list }}|{{ [1,2,3]|reject("equalto", 2)|list }}|{{ [{"r":"x","v":1},{"r":"y","v":2}]|selectattr("r","equalto","x")|list }}|{{ [{"r":1},{}]|selectattr("r","defined")|list|length }}|{{ [{"a":1},{"b":2}]|rejectattr("a")|list }}
{{ none|default("d") }}|{{ x|default("d") }}|{{ ""|default("d", true) }}|{{ x|d("e") }}|{{ "  t "|trim }}|{{ "abc"|upper }}|{{ "a b c"|title }}|{{ "it's o'neil-smith (foo)"|title }}|{{ "hELLO wORLD"|capitalize }}|{{ 3.7|int }}|{{ "12"|int }}|{{ "x"|int(5) }}|{{ "1.5"|float }}|{{ 3.14159|round(2) }}|{{ 2.5|round }}|{{ 3.2|round(0,"ceil") }}|{{ -3|abs }}
{{ {"a":1,"b":"é<>&'"}|tojson }}|{{ [1,2.0,none,true,"x\\n"]|tojson }}|{{ {"a":[1,{"b":2}],"c":{}, "d":[]}|tojson(indent=2) }}|{{ {"b":1,"a":2}|tojson(sort_keys=true) }}|{{ {"a":1}|tojson(separators=(",",":")) }}|{{ "é"|tojson(ensure_ascii=true) }}|{{ 1e22|tojson }}|{{ {1:2}|tojson }}
{{ {"b":1,"a":2}|dictsort }}|{{ {"b":1,"a":2}|items|list }}|{{ {"b":1}.items()|list }}|{{ {"b":1,"c":2}.keys()|list }}|{{ {"b":1}.values()|list }}|{{ {"b":1}.get("b") }}|{{ {"b":1}.get("z") }}|{{ {"b":1}.get("z", 9) }}|{{ {"b":1}.b }}|{{ {"b":1}["b"] }}|{{ {"b":1}.z is defined }}
{{ 5 is number }}|{{ 5 is integer }}|{{ 5.0 is float }}|{{ "s" is string }}|{{ [] is iterable }}|{{ {} is mapping }}|{{ [] is sequence }}|{{ none is none }}|{{ true is boolean }}|{{ true is true }}|{{ 1 is true }}|{{ 4 is even }}|{{ 3 is odd }}|{{ 9 is divisibleby 3 }}|{{ 9 is divisibleby(2) }}|{{ "a" is in ["a"] }}|{{ "ab" is lower }}|{{ "AB" is upper }}|{{ 1 is eq 1 }}|{{ 1 is sameas 1 }}|{{ x is undefined }}|{{ range is callable }}|{{ not x is defined }}|{{ "" is none or "" is string }}
{{ range(3)|list }}|{{ range(1,4)|list }}|{{ range(5,0,-2)|list }}|{{ dict(a=1) }}|{{ "a\\tb" }}|{{ 'it\\'s' }}|{{ "\\u00e9\\x41" }}|{{ "a" "b" }}|{{ 1_000 }}|{{ 0x1F }}|{{ true and "x" }}|{{ 0 or "y" }}|{{ "" and 1 }}
{{ strftime_now("%Y-%m-%d %d %b %Y %H:%M") }}|{{ [1,2,3,4,5]|batch(2)|list }}|{{ [1,2,3,4,5]|slice(2)|list }}|{{ "foo bar baz qux"|truncate(9) }}|{{ "foo bar"|wordcount }}|{{ "<b>x</b>"|escape }}|{{ "<b>x</b>  y"|striptags }}|{{ "a b&c"|urlencode }}|{{ "x"|center(5) }}|{{ "a\\nb\\n\\nc"|indent }}|{{ "a\\nb"|indent(2, true) }}|{{ "a\\n\\nb"|indent(2, blank=true) }}
{{ [{"g":1,"n":"a"},{"g":2,"n":"b"},{"g":1,"n":"c"}]|groupby("g") }}|{{ "x".isdigit() }}|{{ "12".isdigit() }}|{{ "ab".isalpha() }}|{{ "a1".isalnum() }}|{{ " ".isspace() }}|{{ "a,b"|replace(",",";") }}|{{ "5".zfill(3) }}|{{ "ab".center(5,"*") }}|{{ "ab".ljust(4) }}|{{ "a=b=c".partition("=") }}|{{ "a\\nb\\r\\nc".splitlines() }}|{{ "pre-x".removeprefix("pre-") }}|{{ "x.py".removesuffix(".py") }}
{{ [1,[2,3]]|string }}|{{ "a'b" }}|{{ ["a'b"] }}|{{ ['a"b'] }}|{{ ["a\\nb"] }}|{{ ["é","\\u200b","\\x7f"] }}|{{ 1.0 }}|{{ 100000000000000000000.0 }}|{{ 123456789.123 }}|{{ -0.0 }}|{{ 5|string ~ "x" }}|{{ [none, true]|join(",") }}|{{ (1,2)|list }}|{{ {"a":(1,2)}|tojson }}
{{ x.y is defined }}|{{ messages is defined }}|{{ bos_token }}|{{ tools is none }}|{{ documents is none }}|{{ [] == [] }}|{{ {"a":1} == {"a":1} }}|{{ "a" < "b" }}|{{ [1,2] < [1,3] }}|{{ "b" > "a" }}|{{ 3 >= 3.0 }}|{{ 2 != 3 }}|{{ "a" != "a" }}
{{ 1 is not none }}|{{ x is not defined }}|{{ [1,2,3] is not string and true }}|{{ (1 if false else none) is none }}|{{ "abc" is string and "b" in "abc" }}|{{ ["x"] is iterable and ["x"] is not mapping }}|{{ loop is defined }}'''
for line in E.split("\n"):
    for part in line.split("|{{"):
        case(part if part.startswith("{{") else "{{"+part)
    case(line)
S=['''{% for i in [1,2,3] %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}''',
'''{% for i in [1,2,3] -%}
  {{ i }} {{ loop.index }} {{ loop.index0 }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.first }} {{ loop.last }} {{ loop.length }} {{ loop.previtem }} {{ loop.nextitem }} {{ loop.cycle("a","b") }} {{ loop.depth }}
{% endfor %}''',
'''{% for k, v in {"a":1,"b":2}.items() %}{{k}}={{v}};{% endfor %}''','''{% for k, v in {"a":1,"b":2}|items %}{{k}}={{v}};{% endfor %}''','''{% for x in [] %}a{% else %}empty{% endfor %}''',
'''{% for x in [1,2,3,4] if x % 2 == 0 %}{{ loop.index }}:{{ x }} {% endfor %}''','''{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}''',
'''{% set x = 1 %}{% for i in [1,2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}''','''{% set ns = namespace(x=1, y=[]) %}{% for i in [1,2] %}{% set ns.x = ns.x + i %}{% set ns.y = ns.y + [i] %}{% endfor %}{{ ns.x }}{{ ns.y }}''',
'''{% if true %}{% set q = 5 %}{% endif %}{{ q }}''','''{% set a, b = 1, 2 %}{{ a }}{{ b }}''','''{% set c %}block {{ 1 + 1 }}{% endset %}[{{ c }}]''','''{% set c | upper %}block{% endset %}{{ c }}''',
'''{% macro m(a, b=2) %}[{{ a }}-{{ b }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, a=4) }}{{ m() }}''','''{% macro r(n) %}{{ n }}{% if n > 0 %}{{ r(n - 1) }}{% endif %}{% endmacro %}{{ r(5) }}''',
'''{% macro w() %}<{{ caller() }}>{% endmacro %}{% call w() %}in{% endcall %}''','''{% macro w() %}<{{ caller(1, 2) }}>{% endmacro %}{% call(a, b) w() %}{{ a }}+{{ b }}{% endcall %}''','''{% macro v() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ v(1, 2, a=3) }}''',
'''{% filter upper %}abc {{ "d" }}{% endfilter %}''','''{% filter replace("a","b")|upper %}aac{% endfilter %}''','''{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}''','''{% raw %}{{ not }} {% nope %}{% endraw %}x''','''a{%- raw -%}  {{ q }}  {%- endraw -%}  b''',
'''a {# comment #} b''','''a
{# comment #}
b''','''a {#- comment -#} b''','''  {% if true %}
  x
  {% endif %}
y''','''a
    {%- if true %} b {% endif -%}
  c''','''x {{- " y " -}} z''','''{% generation %}gen{% endgeneration %}''','''{%+ if true %} a{% endif +%}
b''','''  {%+ if true +%}
x{% endif %}''','''line1
  {{ "v" }}
line2
''','''trail
''','''trail

''','''{% for a in [1] %}
{% for b in [1,2] %}
{{ a }}{{ b }}{{ loop.depth }}
{% endfor %}
{% endfor %}''','''{% for i in [1,[2,[3]]] recursive %}{% if i is iterable %}({{ loop(i) }}){% else %}{{ i }}{% endif %}{% endfor %}''',
'''{% for i in [1,1,2] %}{% if loop.changed(i) %}{{ i }}{% endif %}{% endfor %}''','''{% set c = cycler("a","b") %}{{ c.next() }}{{ c.next() }}{{ c.next() }}''','''{% set j = joiner(", ") %}{{ j() }}a{{ j() }}b''',
'''{% set d = {"a": 1} %}{% set d = dict(d, b=2) %}{{ d }}''','''{{ raise_exception("bad") }}''','''{% if x %}a{% elif y is defined %}b{% else %}c{% endif %}''','''{{ x.y }}''','''{{ x.y.z }}''','''{{ none.a }}''','''{{ [].append(1) }}''','''{{ {"a":1}.update({"b":2}) }}''','''{{ 1 + "a" }}''','''{{ "a" + 1 }}''','''{{ x + 1 }}''','''{{ 1 / 0 }}''','''{{ foo() }}''','''{% for x in 5 %}{% endfor %}''','''{{ 5|length }}''','''{{ "a"|nosuch }}''','''{{ 1 is nosuch }}''','''{% nosuch %}''','''{{ "a" }''','''{% if %}''','''{% endif %}''','''{{ (1 }}''','''{{ "abc }}''','''{{ 1 < "a" }}''','''{{ [1,"a"]|sort }}''','''{% include "x" %}''','''{{ range(1000000) }}''',
'''{%- set loop_messages = messages -%}{%- for message in loop_messages -%}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{%- endfor -%}''',
'''{{ "\u2028a\u0085b"|trim }}|{{ "é"|length }}|{{ "👨‍👩‍👧"|length }}|{{ "\r\n"|length }}|{{ "e\u0301"[0] }}|{{ "e\u0301" == "é" }}|{{ {"e\u0301": 1, "é": 2}|length }}''',
'''{% set x = "a" %}{% macro m() %}{{ x }}{% endmacro %}{% set x = "b" %}{{ m() }}''','''{% for m in [1,2] %}{% set outer = m %}{% endfor %}{{ outer is defined }}''','''{{ messages[0]["role"] if messages else "none" }}''','''{{ [1,2,3][1:][0] }}{{ {"a":[1,2]}.a[1] }}{{ {"a":{"b":3}}["a"].b }}''',
'''{{ "a" if 1 else "b" if 2 else "c" }}''','''{{ [x for x in y] }}''','''{{ not 1 == 2 }}''','''{{ -1|abs }}''','''{{ 2**-1 }}''','''{{ 2**3**2 }}''','''{{ 1 ~ 2 + 3 }}''','''{{ "a" ~ "b" in "abc" }}''','''{{ 10 - 2 - 3 }}''','''{{ "x" is string is true }}''','''{{ {"a": 1}|tojson|length }}''','''{{ "abc"|first ~ "abc"|last }}''','''{{ ["a","b"]|first|upper }}''','''{{ ("a","b")|join }}''','''{{ "x"|default }}''','''{{ undefined_thing }}''','''{{ undefined_thing|default }}x''','''{{ undefined_thing|length }}''','''{{ undefined_thing|join(",") }}y''','''{{ undefined_thing|tojson }}''','''{{ undefined_thing|upper }}z''','''{% for q in undefined_thing %}a{% endfor %}b''','''{{ undefined_thing == undefined_other }}''','''{{ undefined_thing is none }}''','''{{ "a" in undefined_thing }}''','''{{ undefined_thing ~ "x" }}''','''{{ undefined_thing|list }}''','''{{ undefined_thing is string }}{{ undefined_thing is iterable }}{{ undefined_thing is mapping }}{{ undefined_thing is sequence }}{{undefined_thing is number}}''', '''{{ namespace(a=1) }}''', '''{{ namespace(a=1).b is defined }}''','''{{ "a".b is defined }}''','''{{ [1,2].count(1) }}{{ [1,2].index(2) }}''','''{{ (1,2).count(1) }}''','''{{ "ab"|list }}''','''{{ {"a":1}|list }}''','''{{ {"a":1,"b":2}|first }}''','''{{ {"a":1}|length }}''','''{{ "a\\qb" }}''','''{{ 'a' 'b' ~ 'c' }}''','''{{ [1, 2, 3,] }}{{ {"a": 1,} }}{{ (1, 2,) }}''','''{{ [[1,2],[3,4]]|map("first")|list }}''','''{{ [1,2,3]|map("string")|join("+") }}''','''{{ ["a"]|map("default", "x")|list }}''','''{{ [{"n":1},{}]|map(attribute="n", default=0)|list }}''','''{{ 7.0 // 2 }}|{{ -7.5 % 2 }}|{{ 2.0 ** 3 }}|{{ 5 // 2.0 }}''','''{{ 9007199254740993 }}|{{ 1e400 }}''','''{{ "%r" % "a" }}|{{ "%s" % [1] }}|{{ "%x" % 255 }}|{{ "%%" % () }}|{{ "%e" % 12345.678 }}''','''{{ true + true }}|{{ true|int }}|{{ true|string }}|{{ true * 3 }}''','''{{ "a".join("bcd") }}''','''{{ "abc".index("z") }}''','''{{ "aXbX".rfind("X") }}''','''{{ "Hello World".swapcase() }}{{ "ab cd".istitle() }}{{ "ß".upper() }}{{ "İ".lower()|length }}''', '''{{ "tEsT".casefold() }}''','''{{ "  a b  ".split(" ") }}''','''{{ "a,b,,c".split(",") }}''','''{{ "".split(",") }}''','''{{ "".split() }}''','''{{ "abc".split("") }}''']
for s in S:
    case(s,convs[2]); case(s,[],variables={"x":{"y":"Y"},"y":[1,2]})
print(n)
