"""template_features.py - small templates, one for each thing that the language has; and what they are given."""
CONTEXT = {
    "s": "Hello World", "t": "  padded\ttext \n", "u": "Größe ΟΔΟΣ ﬁn 你好 👩‍👩‍👧 ǆ İ", "empty": "", "num": "42",
    "html": "<a href='x'>&\"", "lines": "a\nb\r\n\nc\x0bd\u2028e", "csv": "a,b,,c", "i": 7, "n": -3, "zero": 0, "f": 2.5,
    "yes": True, "no": False, "nil": None, "l": [3, 1, 2], "ls": ["b", "A", "c", "a"],
    "mixed": [1, "x", None, 2.5, True, [1], {"k": 1}], "nested": [[1, 2], [3, 4], []],
    "d": {"a": 1, "b": "two", "C": [1, 2], "items": 5}, "dd": {"x": {"y": {"z": "deep"}}},
    "users": [{"name": "bob", "age": 30, "tags": ["x", "y"]}, {"name": "Al", "age": 25}, {"name": "cid", "age": 30, "tags": []}],
}

FEATURES = [line for line in r"""
plain text
{{ s }}{{ i }}{{ f }}{{ yes }}{{ nil }}{{ undef }}{{ l }}{{ d }}
{{ 1 }} {{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 1.5 }} {{ 1e3 }} {{ 1.5e-7 }} {{ 1e22 }} {{ 123456789012345678 }} {{ 1e16 }} {{ 0.1 + 0.2 }}
{{ 100000.0 * 10 ** 10 }} {{ 1e15 * 10 }} {{ 0.0001 }} {{ 0.00001 }} {{ -0.0 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }}
{{ 'a' "b" 'c' }} {{ "it's" }} {{ 'say "x"' }} {{ 'tab\tnl\\n\x41\u00e9\U0001F600\101\q' }} {{ 'é\é' }}
{{ ['a', "it's", 'q"q', 'b\\s', 'n\nl', '\x00\x7f\xa0', 'é你👩'] }}
{{ [1, 2.0, none, true, (), (1,), (1, 2), {}, {'a': [1]}] }} {{ 1, 2 }} {{ (1, 2) }}
{{ {'a': 1, 'b': {'c': (1,)}, 2: none, 1.5: true}['b'] }} {{ {1: 'x', true: 'y', 1.0: 'z'} }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 8 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }}
{{ 7.5 // 2 }} {{ -7.5 // 2 }} {{ 7.5 % -2 }} {{ -1 % 0.3 }} {{ 3 * 'ab' }} {{ [1] * 3 }} {{ 'ab' * -1 }} {{ (1, 2) + (3,) }} {{ [1] + [2] }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ 1 + 'a' }}
{{ 'a' + 1 }}
{{ 'a' ~ 1 ~ none ~ true ~ 1.0 ~ undef ~ [1] }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' == 1 }} {{ none == none }} {{ undef == undef2 }}
{{ 1 < 'a' }}
{{ [1] < [none] }}
{{ 'ell' in s }} {{ 'x' not in s }} {{ 2 in l }} {{ 'a' in d }} {{ 'q' in d }} {{ 1 in (1, 2) }} {{ 1 in undef }} {{ 3 in range(5) }}
{{ 1 in 'abc' }}
{{ 1 in 5 }}
{{ yes and no }} {{ no or 'x' }} {{ 0 or none }} {{ 1 and [] }} {{ not yes }} {{ not not s }} {{ not undef }}
{{ 'a' if yes else 'b' }} {{ 'a' if no }} {{ 'a' if no else 'b' if no else 'c' }} {{ (1 if no) is defined }}
{{ s[0] }} {{ s[-1] }} {{ s[99] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[::2] }} {{ s[-3:] }} {{ s[5:2] }} {{ s[-99:99] }} {{ u[3:9] }} {{ u[::-2] }}
{{ l[0] }} {{ l[-1] }} {{ l[9] }} {{ l[1:] }} {{ l[::-1] }} {{ l[:-1] }} {{ l[5:] }} {{ nested[0][1] }} {{ l.0 }} {{ l[true] }} {{ range(10)[2:8:3] }} {{ (1, 2, 3)[1:] }}
{{ l[::0] }}
{{ d.a }} {{ d['a'] }} {{ d.missing }} {{ d['missing'] }} {{ d['items'] }} {{ d.C[1] }} {{ dd.x.y.z }} {{ dd['x']['y'].z }} {{ d[none] }} {{ d[[1]] }}
{{ d.missing.more }}
{{ undef.x }}
{{ undef[0] }}
{{ undef + 1 }}
{{ -undef }}
{{ undef() }}
{{ undef < 1 }}
{{ nil.x }} {{ nil[0] }} {{ i.x }} {{ none.a is defined }}
{{ -i }} {{ +i }} {{ -f }} {{ -yes }} {{ - - 3 }} {{ -3 | abs }} {{ (-3) | abs }}
{{ -s }}
{{ 9223372036854775807 }} {{ -9223372036854775807 - 1 }}
{# comment #}a{#- b -#} c {#+ d #}
{% raw %}{{ not }} {% parsed %}{% endraw %} {%- raw -%}  x  {%- endraw -%}  y
  {% if yes %}  x  {% endif %}  y
{%+ if yes %}a{% endif +%} b
a  {%- if yes -%}  b  {%- endif -%}  c
{{- s -}}   x   {{- s }}
{{ 'a' }}{{ 'b' -}} {{ 'c' }}
{% if no %}a{% elif yes %}b{% else %}c{% endif %}{% if nil %}x{% elif empty %}y{% endif %}{% if l and d %}z{% endif %}
{% for x in l %}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }};{% endfor %}
{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}|{{ loop.cycle('odd', 'even') }}|{{ loop.changed(x > 1) }};{% endfor %}
{% for x in [] %}x{% else %}none{% endfor %}{% for x in l %}{{ x }}{% else %}none{% endfor %}
{% for x in undef %}x{% else %}undef{% endfor %}
{% for x in nil %}x{% endfor %}
{% for x in 5 %}x{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for c in 'né👩' %}{{ c }}.{% endfor %}
{% for a, b in nested[:2] %}{{ a }}{{ b }}{% endfor %}{% for (a, (b, c)) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in nested %}{{ a }}{% endfor %}
{% for x in range(10) if x % 2 %}{{ x }}{{ loop.index }}{{ loop.last }}{{ loop.length }};{% endfor %}
{% for x in l if x > 5 %}x{% else %}no{% endfor %}
{% for x in range(6) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in l %}{% continue %}{% else %}all skipped{% endfor %}|{% for x in l %}{% break %}{% else %}broken{% endfor %}
{% for x in range(3) %}{% for y in range(3) %}{% if y > x %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{{ loop.index }};{% endfor %}
{% for item in [[1, [2, [3]]], [4]] recursive %}{{ loop.depth }}:{% for x in item %}{% if x is iterable %}({{ loop(x) if false else x }}){% else %}{{ x }}{% endif %}{% endfor %};{% endfor %}
{% for x in [1, [2, [3, 4]], 5] recursive %}{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}@{{ loop.depth0 }}{% endif %}{% endfor %}
{% for x in l %}{{ loop }}{% endfor %}
{{ loop }}
{% break %}
{% set x = 1 %}{{ x }}{% set x, y = 2, 3 %}{{ x }}{{ y }}{% set (a, b) = 'pq' %}{{ a }}{{ b }}
{% set x = 1 %}{% for y in l %}{% set x = x + y %}{{ x }}{% endfor %}{{ x }}
{% set ns = namespace(a=1) %}{% for y in l %}{% set ns.a = ns.a + y %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}{{ ns }}
{% set ns = namespace({'k': 1}, j=2) %}{{ ns.k }}{{ ns.j }}{% set ns.k, x = 5, 6 %}{{ ns.k }}{{ x }}
{% set s.x = 1 %}
{% set ns = namespace(_a=1) %}
{% set ns = namespace() %}{% set ns._x = 1 %}
{% set a %}block {{ s }}{% endset %}[{{ a }}]{% set b | upper | trim %}  x {% endset %}[{{ b }}]
{% if no %}{% set z = 1 %}{% endif %}{{ z is defined }}{% if yes %}{% set z = 2 %}{% endif %}{{ z }}
{% for x in l %}{{ i }}{% set i = x %}{{ i }};{% endfor %}{{ i }}
{% for x in l %}{{ i }};{% endfor %}{% set i = 0 %}{{ i }}
{% for x in l %}{% for y in l %}{{ s }}{% endfor %}{% set s = 'q' %}{% endfor %}{{ s }}
{% macro m(a, b=2, c=a) %}{{ a }}-{{ b }}-{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, 5) }}{{ m(c=1, a=2) }}{{ m() }}{{ m.name }}{{ m.arguments }}{{ m }}
{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
{% macro m(x) %}<{{ caller() }}{{ caller(x) if x }}>{% endmacro %}{% call m() %}in{% endcall %}{% call(q) m(5) %}[{{ q }}]{% endcall %}
{% macro m() %}{{ caller is defined }}{{ s }}{% endmacro %}{{ m() }}{% set s = 'late' %}{{ m() }}
{% macro fact(n) %}{{ n * (fact(n - 1) | int) if n > 1 else 1 }}{% endmacro %}{{ fact(10) }}
{% macro outer() %}{% macro inner(x) %}({{ x }}){% endmacro %}{{ inner(1) }}{{ inner(2) }}{% endmacro %}{{ outer() }}{{ inner is defined }}
{% filter upper %}abc {{ s }}{% endfilter %}{% filter replace('a', 'b') | trim %} aXa {% endfilter %}
{% filter length %}abc{% endfilter %}
{% with a = 1, b = s %}{{ a }}{{ b }}{% set c = 3 %}{{ c }}{% endwith %}{{ a is defined }}{{ c is defined }}
{% generation %}x{% set g = 1 %}{{ g }}{% endgeneration %}{{ g is defined }}
{% block title %}T{{ s }}{% endblock %}
{% print s, i %}{% print(1) %}
{{ raise_exception('no ' ~ s) }}
{{ strftime_now('%Y-%m-%d %H:%M:%S %a %A %b %B %d %e %j %p %I %y %U %W %V %G %u %w %C %D %F %T %R %c %x %X %% %-d %-m %_H %^a %z|%Z|%f') }}
{{ range(5) | list }} {{ range(1, 10, 3) | list }} {{ range(5, 0, -2) | list }} {{ range(0) | list }} {{ range(3) }} {{ range(1, 9, 2) }}
{{ range(100001) }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }} {{ dict(d, z=1) }} {{ dict() }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set _ = c.reset() %}{{ c.next() }}
{% set j = joiner() %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}{% set j = joiner('|') %}{{ j() }}a{{ j() }}b{{ j() }}
{{ s | upper }} {{ s | lower }} {{ 'hello wORLD-foo (bar) <x' | title }} {{ 'hELLO' | capitalize }} {{ t | trim }}| {{ 'xxaxx' | trim('x') }}
{{ u | upper }} {{ u | lower }} {{ u | title }} {{ u.title() }} {{ u.capitalize() }} {{ u.swapcase() }} {{ 'ὈΔΥΣΣΕΎΣ ΣΑΣ'.lower() }} {{ 'ŉǰΐ'.upper() }}
{{ s | length }} {{ u | length }} {{ l | count }} {{ d | length }} {{ undef | length }} {{ range(4) | length }} {{ '' | length }}
{{ 5 | length }}
{{ undef | default('x') }} {{ nil | default('x') }} {{ nil | default('x', true) }} {{ '' | d('y', boolean=true) }} {{ undef | d }}| {{ 0 | default(5) }}
{{ l | first }} {{ l | last }} {{ [] | first }} {{ [] | last }} {{ s | first }} {{ d | first }} {{ undef | last }}
{{ l | join }} {{ l | join(', ') }} {{ users | join('; ', attribute='name') }} {{ mixed | join('|') }} {{ 'abc' | join('-') }} {{ undef | join }}
{{ l | sort }} {{ ls | sort }} {{ ls | sort(case_sensitive=true) }} {{ l | sort(reverse=true) }} {{ users | sort(attribute='age') | map(attribute='name') | list }} {{ users | sort(true, attribute='age,name') | map(attribute='name') | list }}
{{ mixed | sort }}
{{ ls | unique | list }} {{ [1, 1.0, true, 2, 'a', 'A'] | unique | list }} {{ users | unique(attribute='age') | map(attribute='name') | list }}
{{ l | reverse | list }} {{ s | reverse }} {{ d | reverse | list }} {{ (l | map('string') | reverse)[0] }}
{{ l | sum }} {{ users | sum(attribute='age') }} {{ [[1], [2]] | sum(start=[]) }} {{ [0.1, 0.2] | sum }}
{{ l | min }} {{ l | max }} {{ ls | min }} {{ ls | max(case_sensitive=true) }} {{ users | max(attribute='age') }} {{ [] | min }}
{{ users | map(attribute='name') | list }} {{ users | map(attribute='tags.0', default='?') | list }} {{ ls | map('upper') | join }} {{ ls | map('replace', 'a', 'z') | list }} {{ nested | map('first') | list }} {{ undef | map('upper') | list }} {{ nil | map('upper') | list }}
{{ l | map('nope') | list }}
{{ mixed | select | list }} {{ mixed | select('string') | list }} {{ l | select('gt', 1) | list }} {{ l | reject('odd') | list }} {{ mixed | reject('none') | list }} {{ ls | select('in', ['a', 'b']) | list }}
{{ users | selectattr('tags') | map(attribute='name') | list }} {{ users | selectattr('age', 'gt', 26) | list | length }} {{ users | rejectattr('tags', 'defined') | list }} {{ users | selectattr('name', 'equalto', 'bob') | first }}
{{ users | groupby('age') }} {% for g in users | groupby('age') %}{{ g.grouper }}:{{ g.list | length }}{% endfor %}{% for k, v in ls | groupby(0) %}{{ k }}{{ v }}{% endfor %}
{{ d | dictsort }} {{ d | dictsort(true) }} {{ d | dictsort(reverse=true) }} {{ {'b': 1, 'a': 2} | dictsort(by='value') }}
{{ d | items | list }} {{ undef | items | list }} {{ d.items() }} {{ d.keys() }} {{ d.values() | list }} {{ d.items() | list | last }}
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 0) | list }} {{ [1, 2, 3, 4, 5] | slice(3) | list }} {{ [1, 2, 3, 4] | slice(3, 'x') | list }}
{{ s | replace('o', '0') }} {{ s | replace('o', '0', 1) }} {{ 5 | replace(5, 6) }} {{ 'abc' | replace('', '-') }} {{ s.replace('l', 'L', 2) }} {{ 'aaa'.replace('a', '', -1) }}|
{{ lines | indent }}|{{ lines | indent(2, true) }}|{{ lines | indent(1, blank=true) }}|{{ 'a\nb' | indent('> ', first=true) }}|{{ '' | indent }}|{{ 'a\n' | indent(1) }}|
{{ 'foo bar baz qux' | truncate(9) }} {{ 'foo bar baz qux' | truncate(9, true) }} {{ 'foo bar baz qux' | truncate(11) }} {{ 'foo bar baz qux' | truncate(11, false, '..', 0) }} {{ 'short' | truncate(3) }}
{{ s | wordcount }} {{ 'a-b c_d é' | wordcount }} {{ 'mid' | center(9) }}| {{ 'ab' | center(5) }}|
{{ html | e }} {{ html | escape | e }} {{ html | forceescape }} {{ html | safe }} {{ (html | safe) + html }} {{ html + ('<b>' | safe) }} {{ ('<%s>' | safe) % html }} {{ ['<', '<' | safe] | join }}
{{ ('<a>' | safe) ~ '<b>' }} {{ ('<' | safe) is escaped }} {{ '<' is escaped }} {{ [('<' | safe)] }} {{ ('a<b' | safe).split('<') }} {{ ('<' | safe).join(['<', '>']) }} {{ ('{}' | safe).format('<') }} {{ ('<a' | safe).replace('a', '<') }} {{ ('<' | safe) * 2 + '<' }}
{{ '42' | int }} {{ '4.9' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ 4.9 | int }} {{ '0x1f' | int(base=16) }} {{ ' 12 ' | int }} {{ '1_000' | int }} {{ true | int }} {{ nil | int }} {{ '-5' | int }} {{ 'ff' | int(0, 16) }} {{ '0b11' | int(base=0) }} {{ '' | int }} {{ l | int }}
{{ undef | int }}
{{ '4.5' | float }} {{ 'x' | float }} {{ 3 | float }} {{ 'nan' | float }} {{ '1e3' | float }} {{ 'inf' | float }} {{ nil | float(1.5) }} {{ ' 2 ' | float }} {{ '1_0.5' | float }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ -1.5 | round }} {{ 1234 | round(-2) }} {{ 1250 | round(-2) }} {{ 1.21 | round(1, 'ceil') }} {{ 1.29 | round(1, 'floor') }} {{ 7 | round }} {{ 1234.5 | round(-2) }} {{ 0.5 | round(0, 'floor') }}
{{ -3 | abs }} {{ (-3.5) | abs }} {{ true | abs }} {{ 5 | string }} {{ none | string }} {{ [1] | string | length }}
{{ d | tojson }} {{ mixed | tojson }} {{ u | tojson }} {{ u | tojson(ensure_ascii=true) }} {{ html | tojson }} {{ 1.0 | tojson }} {{ 1e100 | tojson }} {{ none | tojson }} {{ (1, 2) | tojson }} {{ 'a\n\t"\\/\x01\x7f' | tojson }}
{{ d | tojson(indent=2) }} {{ nested | tojson(indent=1) }} {{ {} | tojson(indent=2) }} {{ d | tojson(sort_keys=true) }} {{ d | tojson(separators=(',', ':')) }} {{ l | tojson(indent='--') }} {{ l | tojson(indent=0) }} {{ d | tojson(false, 2, (';', '=')) }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }}
{{ undef | tojson }}
{{ {'a': undef} | tojson }}
{{ range(3) | tojson }}
{{ d.items() | tojson }}
{{ ('<b>' | safe) | tojson }} {{ d | attr('items') is callable }} {{ d | attr('a') }}| {{ '%s-%d' | format('a', 5) }} {{ '%(x)s' | format(x=1) }}
{{ '%s %r %d %5d|%-5d|%05d|%+d|% d|%x|%X|%#x|%o|%e|%.2f|%8.3f|%g|%c|%%|%.2s|%10s|%-10s|' % ('s', 'r', 1, 2, 3, 4, 5, 6, 255, 255, 255, 8, 12345.678, 3.14159, 2.5, 0.0001, 'c', 'abc', 'right', 'left') }}
{{ '%s' % s }} {{ '%s' % [1] }} {{ '%(a)s %(b)s' % d }} {{ '%d' % 3.9 }} {{ '%s %s' % (1, none) }} {{ '%*d' % (5, 42) }} {{ '%.*f' % (2, 1.5) }} {{ '%5.1f|' % 2.25 }} {{ '%i' % true }} {{ 'no' % {} }}
{{ '%d' % 'a' }}
{{ '%s %s' % 'a' }}
{{ '%s' % (1, 2) }}
{{ '%z' % 1 }}
{{ '{} {} {0}'.format(1, 2) }}
{{ '{} {}'.format(1, 'b') }} {{ '{1} {0}'.format(1, 2) }} {{ '{a} {b.c}'.format(a=1, b={'c': 2}) }} {{ '{0[0]} {0[1]}'.format(l) }} {{ '{{}}'.format() }} {{ '{!r:>6}|'.format('a') }} {{ '{:{}}|'.format('x', 4) }}
{{ '{:>8}|{:<8}|{:^8}|{:*^9}|{:08.3f}|{:+d}|{:,}|{:x}|{:#b}|{:%}|{:.3}|{:e}|{:g}|{:_}|{:c}|{:=+6}|{:5}|{:d}'.format('r', 'l', 'c', 'm', 3.14159, 5, 1234567, 255, 5, 0.25, 'truncate', 12345.678, 1e-5, 1000000, 65, 3, true, true) }}
{{ '{:.3}|{:.1}|{:.5}|{:.3}|{:g}|{:G}|{:E}|{:,.2f}|{:n}|{:}|{:10}|{:<5}|'.format(1234.5, 25.0, 1.5, 0.00012345, 1e10, 1e-10, 1.5, 1234567.891, 5, 2.5, 2.5, 7) }}
{{ '{}'.format() }}
{{ '{a}'.format(1) }}
{{ '{'.format(1) }}
{{ '{:d}'.format('a') }}
{{ '{:d}'.format(1.5) }}
{{ t.strip() }}|{{ t.lstrip() }}|{{ t.rstrip() }}|{{ 'xyaxy'.strip('xy') }} {{ 'xxa'.lstrip('x') }} {{ 'axx'.rstrip('x') }} {{ '\u00a0a\u2003'.strip() }} {{ 'éaé'.strip('é') }} {{ 'a'.strip(none) }}
{{ s.split() }} {{ s.split('o') }} {{ s.split('o', 1) }} {{ csv.split(',') }} {{ t.split() }} {{ ''.split() }} {{ ''.split(',') }} {{ ' a  b c '.split(none, 1) }} {{ 'a b c'.split(maxsplit=1) }} {{ 'a--b'.split(sep='--') }} {{ 'abc'.split('x') }}
{{ s.rsplit('o', 1) }} {{ ' a  b c '.rsplit(none, 1) }} {{ csv.rsplit(',', 2) }} {{ ' a b '.rsplit() }} {{ lines.splitlines() }} {{ lines.splitlines(true) }} {{ ''.splitlines() }} {{ 'a\n'.splitlines() }}
{{ s.split('') }}
{{ s.startswith('He') }} {{ s.endswith('ld') }} {{ s.startswith(('x', 'H')) }} {{ s.startswith('World', 6) }} {{ s.endswith('Hello', 0, 5) }} {{ ''.startswith('') }} {{ s.startswith('', 99) }} {{ s.endswith(()) }}
{{ s.startswith(1) }}
{{ s.find('o') }} {{ s.find('o', 5) }} {{ s.find('z') }} {{ s.rfind('o') }} {{ s.find('') }} {{ s.find('', 99) }} {{ s.index('W') }} {{ s.count('l') }} {{ s.count('') }} {{ 'aaa'.count('aa') }} {{ u.find('你') }} {{ s.rfind('l', 0, 5) }} {{ s.find('l', -3) }}
{{ s.index('z') }}
{{ ', '.join(['a', 'b']) }} {{ '-'.join('abc') }} {{ ''.join([]) }}| {{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ 'abc'.removeprefix('x') }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'abc'.partition('=') }} {{ 'abc'.rpartition('=') }}
{{ ', '.join([1]) }}
{{ 'ab'.center(7, '*') }} {{ 'ab'.ljust(5) }}| {{ 'ab'.rjust(5, '-') }} {{ '-5'.zfill(5) }} {{ 'x'.zfill(3) }} {{ 'é'.center(4) }}|
{{ 'abc'.isalpha() }} {{ '12'.isdigit() }} {{ '½'.isdigit() }} {{ '²'.isdigit() }} {{ ' '.isspace() }} {{ ''.isspace() }} {{ 'ABC'.isupper() }} {{ 'a1'.islower() }} {{ 'a1'.isalnum() }} {{ 'é'.isascii() }} {{ 'Ab' is lower }} {{ 'AB' is upper }} {{ '٣'.isdecimal() }}
{{ d.get('a') }} {{ d.get('q') }} {{ d.get('q', 5) }} {{ d.copy() }} {{ l.index(1) }} {{ l.count(3) }} {{ l.copy() }} {{ (1, 2).index(2) }} {{ (1, 1).count(1) }} {{ 'a' in d.keys() }} {{ d.keys() | list }}
{{ l.append(1) }}
{{ d.update({}) }}
{{ d.pop('a') }}
{{ l.append }}|{{ d.pop is defined }}|{{ s.nope is defined }}|{{ s.upper is callable }}
{{ s.upper(1) }}
{{ s.nope() }}
{{ 5() }}
{{ l.index(9) }}
{{ undef is defined }} {{ s is defined }} {{ nil is none }} {{ s is string }} {{ i is number }} {{ yes is number }} {{ i is integer }} {{ yes is integer }} {{ f is float }} {{ yes is boolean }} {{ d is mapping }} {{ l is sequence }} {{ s is sequence }} {{ d is sequence }} {{ d is iterable }} {{ i is iterable }} {{ undef is iterable }} {{ undef is sequence }}
{{ 3 is odd }} {{ 4 is even }} {{ 6 is divisibleby 3 }} {{ 6 is divisibleby(4) }} {{ 1 is eq 1 }} {{ 1 is not eq(2) }} {{ 1 is lt 2 }} {{ 2 is ge 2 }} {{ 'a' is in ['a'] }} {{ 1 is sameas 1 }} {{ none is sameas none }} {{ yes is true }} {{ no is false }} {{ 1 is true }} {{ range is callable }} {{ s is not defined }} {{ 'upper' is filter }} {{ 'odd' is test }} {{ 'nope' is filter }}
{{ s is nope }}
{{ s | nope }}
{% if no %}{{ s | nope }}{{ s is nope }}{% endif %}fine
{% if yes %}{{ s | nope }}{% endif %}
{% if no %}{% for x in l %}{{ s | nope }}{% endfor %}{% endif %}
{{ (l | map('string')) is iterable }} {{ (l | select) is sequence }} {% set g = l | map('string') %}{{ g | join }}{{ g | join }}|
{{ l | select('odd') | length }}
{{ (l | map('string'))[0] }}|
{{ s ~ }}
{{ (1 }}
{% if %}x{% endif %}
{% for x l %}{% endfor %}
{% endif %}
{% unknown %}
{{ 'open }}
{% if yes %}x
{# open
{{ a.b.c
{% raw %} open
{{ ] }}
{{ ! }}
{% set true = 1 %}
{% set 1 = 1 %}
{% for loop in l %}{% endfor %}
{% for x in l %}{% set loop = 1 %}{% endfor %}
{% macro m(a=1, b) %}{% endmacro %}
{% call s %}x{% endcall %}
{{ f(a=1, 2) }}
{{ 'x' is is y }}
{{ dict(**{'a': 1}) }} {{ dict(*[[('b', 2)]]) }} {{ '{} {}'.format(*l[:2]) }} {{ '{q}'.format(**{'q': 'z'}) }} {{ range(*[1, 4]) | list }}
{{ s.upper().lower()[:4].title() | replace('H', 'J') }} {{ (s ~ '!') | upper }} {{ s | upper | lower | length + 1 }} {{ 1 + 2 | string | length }}
{{ not 1 == 2 }} {{ 1 + 2 * 3 - 4 // 2 }} {{ (1 + 2) * 3 }} {{ 2 * 3 % 4 }} {{ 'a' ~ 1 + 2 }} {{ 1 ~ 2 * 3 }} {{ 1 if 0 else 2 if 0 else 3 }} {{ 1 or 2 and 0 }} {{ not 0 and 1 }} {{ 2 ** 2 * 3 }} {{ -2 ** 2 }}
{{ 1 in [1] == true }} {{ 1 < 2 == true }} {{ 'a' in 'abc' in ['abc'] }} {{ 1 not in [2] }}
{{ {'a': 1}.a }} {{ [1, 2].0 }} {{ 'abc'.1 }} {{ (1, 2)[1] }} {{ {'x': {'y': 1}}.x.y }} {{ [[1]][0][0] }} {{ {} }} {{ { } }} {{ {'a': 1,} }} {{ [1,] }} {{ (1,) }}
""".split("\n") if line]

FEATURES += [
    "a\n", "a\n\n", "\n", "", "a\r\nb\rc\n", "{% if yes %}\n  x\n{% endif %}\n y\n", "  {% if yes %}\n  x\n  {% endif %}\n",
    "\t{% for x in l %}\n\t{{ x }}\n\t{% endfor %}\nend", "{% for x in l -%}\n  {{ x }}\n{%- endfor %}\n", "a {#- c -#} \n b", "  {# c #}\n b", "x {# c #}\n b",
    "{{ s }}\n{% if yes %}\n{{ i }}\n{% endif %}\n", "{%- if yes %}\n\n  a{% endif -%}\n\n b", "a\n  {%+ if yes %} b{% endif %}", "a\n  {%+ if yes +%}\n b\n{% endif %}",
    "  {%- raw %}\n x {% endraw %}\n y", "  {% raw %}\n x\n  {% endraw %}\n y", "a\n  {{ s }}\n  {{- i -}}\n  b", "{% set x %}\n a\n{% endset %}[{{ x }}]",
    "{% macro m() %}\n a\n{% endmacro %}\n[{{ m() }}]", "{{\n s\n|\nupper\n}}", "{% set x = [\n 1,\n 2\n] %}{{ x }}", "{{ 'a\nb' }}", "{{ \"a\\\nb\" }}",
    "{% if yes %}{% if no %}{% else %}\n\n{% endif %}{% endif %}x\n", "{{ '{{' }}{{ '}}' }}{{ '{%' }} {{ {'a': {'b': 1}} }}", "{{ s }}{# {{ not }} #}{% raw %}{# not #}{% endraw %}",
    "{% for x in l %}\n  {%- if x > 1 %}\n    {{- x }}\n  {%- endif %}\n{%- endfor %}\n", "\x0b{% if yes %}\x0cx{% endif %}", "\u2003{% if yes %}x{% endif %}\u2003\n{%- if yes %} y{% endif %}",
    "{% set ns = namespace(x='') %}{% for m in users %}{% set ns.x = ns.x ~ m.name %}{% if loop.index == 2 %}{% break %}{% endif %}{% endfor %}{{ ns.x }}",
]
