import Rollouts
import Testing

@testable import Tokenizers

@Suite("Texts that safe and escape mark, as markupsafe has them")
struct TemplateMarkupTests {
  /// Expected texts by Jinja 3.1.6 and markupsafe 3.0, without autoescaping as transformers sets it up.
  static let renderings: [(String, String)] = [
    (#"{{ "<a>"|safe + "<b>" }}"#, #"<a>&lt;b&gt;"#),
    (#"{{ "<b>" + "<a>"|safe }}"#, #"&lt;b&gt;<a>"#),
    (#"{{ "<a>"|e + "<b>" }}"#, #"&lt;a&gt;&lt;b&gt;"#),
    (#"{{ "<a>"|e|e }}"#, #"&lt;a&gt;"#),
    (#"{{ "<a>"|e|forceescape }}"#, #"&amp;lt;a&amp;gt;"#),
    (#"{{ "<a>"|safe ~ "<b>" }}"#, #"<a><b>"#),
    (#"{{ "<a>"|safe * 2 + "&" }}"#, #"<a><a>&amp;"#),
    (#"{{ ["<a>"|safe] }}"#, #"[Markup('<a>')]"#),
    (#"{{ ("%s<x>"|safe) % "<b>" }}"#, #"&lt;b&gt;<x>"#),
    (#"{{ ("%d %r"|safe) % (3, "<b>") }}"#, #"3 &#39;&lt;b&gt;&#39;"#),
    (#"{{ "{}<x>"|safe|format }}"#, #"{}<x>"#),
    (#"{{ ("{} {n}"|safe).format("<b>", n="&") }}"#, #"&lt;b&gt; &amp;"#),
    (#"{{ ("<,>"|safe).join(["<b>", "<c>"|safe]) }}"#, #"&lt;b&gt;<,><c>"#),
    (#"{{ ["<b>", "<c>"|safe]|join("<,>"|safe) }}"#, #"<b><,><c>"#),
    (#"{{ ("<a>"|safe)[0] + "<" }}"#, #"<&lt;"#),
    (#"{{ ("<a>"|safe)[1:] + "<" }}"#, #"a>&lt;"#),
    (#"{{ ("<a> b"|safe).split()[0] + "<" }}"#, #"<a>&lt;"#),
    (#"{{ ("<a>"|safe).upper() + "<" }}"#, #"<A>&lt;"#),
    (#"{{ "<a>"|safe|upper + "<" }}"#, #"<A>&lt;"#),
    (#"{{ "<a>"|safe|title + "<" }}"#, #"<A><"#),
    (#"{{ " <a> "|safe|trim + "<" }}"#, #"<a>&lt;"#),
    (#"{{ "<a>"|safe|string + "<" }}"#, #"<a>&lt;"#),
    (#"{{ "<a>"|safe|replace("a","<") + "<" }}"#, #"<<><"#),
    (#"{{ ("<a>"|safe).replace("a","<") + "<" }}"#, #"<&lt;>&lt;"#),
    (#"{{ ("a<b"|safe).partition("<")[0] + "<" }}"#, #"a&lt;"#),
    (#"{{ "<a>"|safe == "<a>" }}"#, #"True"#),
    (#"{{ "<a>"|safe is escaped }}"#, #"True"#),
    (#"{{ "<a>"|safe is string }}"#, #"True"#),
    (#"{{ {"a"|safe: 1}["a"] }}"#, #"1"#),
    (#"{{ {"a": 1}["a"|safe] }}"#, #"1"#),
    (#"{{ "<a>"|safe|tojson }}"#, #""<a>""#),
    (#"{{ "<a>"|safe|length }}"#, #"3"#),
    (#"{{ "a" in ("<a>"|safe) }}"#, #"True"#),
    (#"{{ ("a"|safe) in "<a>" }}"#, #"True"#),
    (#"{{ "<a>"|safe|indent + "<" }}"#, #"<a>&lt;"#),
    (#"{{ "<a>"|safe|reverse + "<" }}"#, #">a<&lt;"#),
    (#"{{ "<a>"|safe|center(7) + "<" }}"#, #"  <a>  &lt;"#),
    (#"{{ "<aaaa bbbb>"|safe|truncate(8) + "<" }}"#, #"<aaaa bbbb>&lt;"#),
    (#"{{ ("%s"|safe)|format("<b>") + "<" }}"#, #"&lt;b&gt;&lt;"#),
    (#"{{ "<a>"|safe|default("x") + "<" }}"#, #"<a>&lt;"#),
    (#"{{ x|default("<a>"|safe) + "<" }}"#, #"<a>&lt;"#),
    (#"{{ ["<a>"]|map("safe")|list }}"#, #"[Markup('<a>')]"#),
    (#"{{ 1|safe + "<" }}"#, #"1&lt;"#),
    (#"{{ none|e }}"#, #"None"#),
    (#"{{ ("a<b"|safe).startswith("a") }}"#, #"True"#),
    (#"{{ ("<a>"|safe)|tojson|safe + "<" }}"#, #""<a>"&lt;"#),
    (#"{{ "<a>"|safe is lower }}"#, #"True"#),
    (#"{{ ("<b>"|safe) < "<c>" }}"#, #"True"#),
    (
      #"{{ "x" if "<"|safe else "y" }}|{% for c in "<a"|safe %}{{ c + "<" }}{% endfor %}"#,
      #"x|<<a<"#
    ),
    (#"{{ ("a\nb"|safe).splitlines() }}"#, #"[Markup('a'), Markup('b')]"#),
  ]

  @Test("what is added to a Markup is escaped, and its methods give one", arguments: renderings)
  func rendering(source: String, wanted: String) throws {
    let text = try ChatTemplate(source: source).render(messages: [ChatMessage](), end: .closed)
    #expect(text == wanted)
  }
}
