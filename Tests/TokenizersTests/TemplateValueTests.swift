import Foundation
import Rollouts
import Testing

@testable import Tokenizers

@Suite("Values of templates, as Python has them and no larger than they may be")
struct TemplateValueTests {
  private func render(_ source: String) throws -> String {
    try ChatTemplate(source: source).render(messages: [ChatMessage](), end: .closed)
  }

  /// Expected texts by Jinja 3.1.
  static let renderings: [(String, String)] = [
    (
      "{{ 'abcdef'[::-1] }} {{ 'abcdef'[1:4] }} {{ 'abcdef'[-2:] }} "
        + "{{ 'abcdef'[::9223372036854775807] }} {{ [1,2,3][::-9223372036854775807] }} "
        + "{{ 'abcdef'[4:1:-2] }} {{ [1,2,3,4][-9:-1] }} {{ 'aéb'[-1:-9:-1] }}",
      "fedcba bcd ef a [3] ec [1, 2, 3] béa"
    ),
    (
      "{{ 'a-b--c'.split('-') }}{{ ' a  b '.split() }}{{ 'a b  c d'.split(none, 1) }}"
        + "{{ 'aXbXc'.rsplit('X',1) }}{{ 'a\\r\\nb\\n\\nc'.splitlines() }}"
        + "{{ 'a\\nb\\n'.splitlines(true) }}",
      "['a', 'b', '', 'c']['a', 'b']['a', 'b  c d']['aXb', 'c']['a', 'b', '', 'c']['a\\n', 'b\\n']"
    ),
    (
      "{{ 'aaa'.replace('a','bb',2) }} {{ 'abc'.replace('','-') }} {{ 'banana'.count('ana') }} "
        + "{{ 'banana'.rfind('an') }} {{ 'aabaabaaab'.find('aabaaab') }} "
        + "{{ 'abababc'.find('ababc') }} {{ 'x'.find('') }}[{{ '  x '.strip() }}]"
        + "[{{ 'xyax'.strip('yx') }}]",
      "bbbba -a-b-c- 1 3 3 2 0[x][a]"
    ),
    (
      "{{ (-5000)|filesizeformat }} {{ 'ab'.center(-9223372036854775807 - 1) }} "
        + "{{ 'ab'.zfill(-5) }} {{ 'one two-three'|wordcount }} {{ 'a <b>c</b>  d'|striptags }} "
        + "{{ ['b','A','c']|sort|join(',') }}",
      "-5000 Bytes ab ab 3 a c d A,b,c"
    ),
  ]

  @Test("texts and lists", arguments: renderings)
  func spellings(source: String, expected: String) throws {
    #expect(try render(source) == expected)
  }

  @Test("joining many short texts takes few steps")
  func joins() throws {
    #expect(try render("{{ (['a' * 50] * 20000)|join(',')|length }}") == "1019999")
  }

  /// Chains of a hundred thousand objects: released one by one, not by a recursion.
  static let chains = [
    "{% set n.x = namespace(x=n.x) %}", "{% set n.x = cycler(n.x) %}",
    "{% set o = n.x %}{% macro m() %}a{% endmacro %}{% set n.x = m %}",
    "{% set o = n.x %}{% for j in [1] %}{% set n.x = loop %}{% endfor %}",
    "{% set new = namespace() %}{% set o = n.x %}{% set o.x = new %}{% set n.x = new %}",
  ]

  @Test("long chains of objects are released", arguments: chains)
  func releases(step: String) throws {
    let source =
      "{% set n = namespace(x=namespace()) %}{% for i in range(100000) %}\(step){% endfor %}ok"
    #expect(try render(source) == "ok")
  }

  @Test("nothing that refers to itself outlives the rendering")
  func cycles() throws {
    weak var kept: TemplateScope?
    let statements = try TemplateParser.parse("{% macro m() %}a{% endmacro %}{{ m() }}")
    do {
      let scope = TemplateScope(parent: nil)
      kept = scope
      #expect(try TemplateEvaluator(now: Date()).render(statements, scope) == "a")
    }
    #expect(kept == nil)
  }
}
