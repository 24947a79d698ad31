//! Expressions and what they give, or what is wrong with them.

use super::*;
use crate::flat::FlatMap;
use crate::value::Value;
use crate::{list, obj};

/// The value of an expression over `self`, as text, or why there is none.
fn run(text: &str) -> String {
    let schema = schema();
    let own = schema_type(&schema, true).unwrap();
    match compile(text, &[("self", own.clone()), ("oldSelf", own)]) {
        Err(report) => report,
        Ok(program) => {
            let mut values = FlatMap::new();
            values.insert("self", Val::of(&object(), &schema, true));
            values.insert("oldSelf", Val::of(&object(), &schema, true));
            match program.run(&values) {
                Ok(Val::List(items)) => {
                    let all: Vec<String> = items.items.iter().filter_map(Val::text).collect();
                    format!("[{}]", all.join(" "))
                }
                Ok(value) => value.text().unwrap_or_else(|| value.type_name().to_owned()),
                Err(failure) => format!("! {failure}"),
            }
        }
    }
}

fn schema() -> Value {
    let text = obj! { "type": "string" };
    obj! {
        "type": "object",
        "properties": obj! {
            "spec": obj! {
                "type": "object",
                "properties": obj! {
                    "replicas": obj! { "type": "integer" },
                    "max": obj! { "type": "integer" },
                    "ratio": obj! { "type": "number" },
                    "name": text.clone(),
                    "with-dash": text.clone(),
                    "when": obj! { "type": "string", "format": "date-time" },
                    "port": obj! { "x-kubernetes-int-or-string": true },
                    "tags": obj! { "type": "array", "items": text.clone(), "x-kubernetes-list-type": "set" },
                    "labels": obj! { "type": "object", "additionalProperties": text.clone() },
                    "steps": obj! {
                        "type": "array",
                        "items": obj! { "type": "object", "properties": obj! { "name": text.clone(), "size": obj! { "type": "integer" } } },
                    },
                },
            },
        },
    }
}

fn object() -> Value {
    obj! {
        "apiVersion": "a.io/v1",
        "kind": "A",
        "metadata": obj! { "name": "web" },
        "spec": obj! {
            "replicas": 3,
            "ratio": 2,
            "name": "front",
            "with-dash": "d",
            "when": "2026-01-02T03:04:05Z",
            "port": "http",
            "tags": list!["a", "b"],
            "labels": obj! { "app": "web", "x": "y" },
            "steps": list![obj! { "name": "one", "size": 1 }, obj! { "name": "two", "size": 5 }],
        },
    }
}

#[test]
fn expressions() {
    let rows = [
        ("1 + 2 * 3 - -1", "8"),
        ("7 / 2 + 7 % 4", "6"),
        ("'a' + \"b\" + r'\\c' + '\\u0041'", "ab\\cA"),
        ("self.spec.replicas > 2 && self.spec.name.startsWith('fr')", "true"),
        ("!has(self.spec.max) || self.spec.replicas <= self.spec.max", "true"),
        ("self.spec.max > 1", "! no such key: max"),
        ("self.spec.max > 1 || true", "true"),
        ("self.spec.replicas / 0 == 1", "! division by zero"),
        ("self.spec.ratio == 2.0 ? 'yes' : 'no'", "yes"),
        ("self.spec.replicas < 3.5", "true"),
        (
            "self.spec.with__dash__d",
            "ERROR: <input>:1:10: undefined field 'with__dash__d'\n | self.spec.with__dash__d\n | .........^",
        ),
        ("self.spec.with__dash__dash", "d"),
        (
            "self.spec.steps.all(s, s.size > 0) && self.spec.steps.exists_one(s, s.name == 'two')",
            "true",
        ),
        ("self.spec.steps.filter(s, s.size > 2).map(s, s.name)", "[two]"),
        ("self.spec.steps.map(s, s.size > 2, s.size * 2)", "[10]"),
        ("self.spec.labels.all(k, self.spec.labels[k].size() < 4)", "true"),
        (
            "'app' in self.spec.labels && 'b' in self.spec.tags && !('z' in ['y'])",
            "true",
        ),
        ("self.spec.tags == ['b', 'a']", "true"),
        ("self.spec.tags[5]", "! index out of bounds: 5"),
        ("self.spec.labels['no']", "! no such key: no"),
        ("self.spec.name.matches('^f.*t$')", "true"),
        ("self.spec.name.upperAscii().replace('F', 'f').substring(1, 3)", "RO"),
        ("'a,b,c'.split(',').join('-')", "a-b-c"),
        ("[3, 1, 2].sum() + [3, 1, 2].max()", "9"),
        ("[3, 1].isSorted()", "false"),
        (
            "self.spec.when.getFullYear() + self.spec.when.getMonth() + self.spec.when.getDate()",
            "2028",
        ),
        (
            "self.spec.when - timestamp('2026-01-02T03:00:00Z') == duration('4m5s')",
            "true",
        ),
        (
            "quantity('1Gi').isGreaterThan(quantity('500Mi')) && isQuantity('1x') == false",
            "true",
        ),
        (
            "cidr('10.0.0.0/8').containsIP('10.1.2.3') && ip('::1').family() == 6",
            "true",
        ),
        ("url('https://a.b:80/c').getPort()", "80"),
        ("type(self.spec.port) == string && self.spec.port == 'http'", "true"),
        ("self.spec.port > 3", "! no such overload"),
        ("string(self.spec.replicas) + '%d %s'.format([1, 'x'])", "31 x"),
        ("self.metadata.name == 'web' && self.kind == 'A'", "true"),
        ("self.spec == oldSelf.spec && dyn(1) == 1.0", "true"),
        ("int('12') + int(3.9)", "15"),
        ("9223372036854775807 + 1", "! integer overflow"),
        ("optional.of(1).orValue(2) + optional.none().orValue(3)", "4"),
        // Optional entries, and macros over optional values.
        ("[?self.spec.?max, 1, ?optional.of(2)]", "[1 2]"),
        ("size({'a': 1, ?'b': self.spec.?max})", "1"),
        ("self.spec.?name.optMap(n, n + '!').orValue('')", "front!"),
        ("self.spec.?max.optMap(n, n + 1).orValue(7)", "7"),
        ("self.spec.?max.optFlatMap(n, optional.of(n)).hasValue()", "false"),
        ("optional.unwrap([optional.of(1), optional.none()])", "[1]"),
        ("[1, 2].first().value() + [1, 2].last().value()", "3"),
        // Comprehensions of two variables.
        ("['a', 'b'].transformList(i, v, v + string(i))", "[a0 b1]"),
        ("['a', 'b'].transformList(i, v, i > 0, v)", "[b]"),
        ("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 2)['b']", "4"),
        ("{'a': 'x', 'b': 'y'}.transformMapEntry(k, v, {v: k})['y']", "b"),
        (
            "{'a': 'x', 'b': 'x'}.transformMapEntry(k, v, {v: k})",
            "! insert failed: key x already exists",
        ),
        ("self.spec.labels.exists(k, v, k == 'x' && v == 'y')", "true"),
        ("[3, 1, 2].sortBy(n, -n)", "[3 2 1]"),
        ("[[1, 2], [3]].flatten()", "[1 2 3]"),
        (
            "[1, 2].flatten()",
            "ERROR: <input>:1:15: found no matching overload for 'flatten' applied to 'list(int).()'\n | [1, 2].flatten()\n | ..............^",
        ),
        // Versions.
        ("semver('1.2.3').isLessThan(semver('1.10.0'))", "true"),
        ("semver('1.2.3-rc.2').compareTo(semver('1.2.3-rc.10'))", "-1"),
        ("semver('v01.2', true).minor() + semver('2.0.0+b').major()", "4"),
        ("isSemver('1.2') || isSemver('v1.2.3') || isSemver('1.02.3')", "false"),
        ("semver('1.2')", "! No Major.Minor.Patch elements found"),
        (
            "semver('01.2.3')",
            "! Major number must not contain leading zeroes \"01\"",
        ),
        ("semver('1.2.3-') == semver('1.2.3')", "! Prerelease is empty"),
        // Formats.
        ("format.dns1123Label().validate('my-name').hasValue()", "false"),
        (
            "format.labelValue().validate('-').value()[0].startsWith('a valid label')",
            "true",
        ),
        (
            "format.named('uuid').value().validate('x').value()",
            "[does not match the UUID format]",
        ),
        ("format.named('nope').hasValue()", "false"),
        ("format.dns1035LabelPrefix().validate('a-').hasValue()", "false"),
        ("!format.uri().validate('https://a.b/c').hasValue()", "true"),
        // Time zones.
        ("timestamp('2026-07-01T12:00:00Z').getHours('Europe/Berlin')", "14"),
        ("timestamp('2026-07-01T23:30:00Z').getDate('+01:00')", "2"),
        ("timestamp('2026-07-01T00:30:00Z').getHours('-02:30')", "22"),
        (
            "timestamp('2026-07-01T00:30:00Z').getHours('Moon')",
            "! unknown time zone Moon",
        ),
        // Addresses and URLs.
        (
            "ip('169.254.0.1').isLinkLocalUnicast() && !ip('127.0.0.1').isGlobalUnicast()",
            "true",
        ),
        ("ip.isCanonical('::1') && !ip.isCanonical('0:0::1')", "true"),
        ("url('https://a.b/c?x=1&y=a%20b&x=2').getQuery()['x']", "[1 2]"),
        ("sign(quantity('-1'))", "-1"),
    ];
    let mut wrong = Vec::new();
    for (text, want) in rows {
        let got = run(text);
        if got != want {
            wrong.push(format!("{text}\n  got  {got}\n  want {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn reports() {
    let rows = [
        (
            "self.spec.nope",
            "ERROR: <input>:1:10: undefined field 'nope'\n | self.spec.nope\n | .........^",
        ),
        (
            "self.spec.name > 3",
            "ERROR: <input>:1:16: found no matching overload for '_>_' applied to '(string, int)'\n | self.spec.name > 3\n | ...............^",
        ),
        (
            "self.spec.replicas.startsWith('a')",
            "ERROR: <input>:1:30: found no matching overload for 'startsWith' applied to 'int.(string)'\n | self.spec.replicas.startsWith('a')\n | .............................^",
        ),
        (
            "other == 1",
            "ERROR: <input>:1:1: undeclared reference to 'other' (in container '')\n | other == 1\n | ^",
        ),
        (
            "nofunc(1)",
            "ERROR: <input>:1:7: undeclared reference to 'nofunc' (in container '')\n | nofunc(1)\n | ......^",
        ),
        (
            "self.spec.replicas >",
            "ERROR: <input>:1:21: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | self.spec.replicas >\n | ....................^",
        ),
        (
            "self.spec.name.all(x, true)",
            "ERROR: <input>:1:10: expression of type 'string' cannot be range of a comprehension (must be list, map, or dynamic)\n | self.spec.name.all(x, true)\n | .........^",
        ),
        (
            "self.spec.name.matches('[')",
            "ERROR: <input>:1:24: invalid matches argument\n | self.spec.name.matches('[')\n | .......................^",
        ),
        (
            "math.greatest(1, 2)",
            "ERROR: <input>:1:1: undeclared reference to 'math' (in container '')\n | math.greatest(1, 2)\n | ^\nERROR: <input>:1:14: undeclared reference to 'greatest' (in container '')\n | math.greatest(1, 2)\n | .............^",
        ),
        (
            "Object{a: 1}",
            "ERROR: <input>:1:7: undeclared reference to 'Object' (in container '')\n | Object{a: 1}\n | ......^",
        ),
        (
            "[1].map(1, 2)",
            "ERROR: <input>:1:9: argument must be a simple name\n | [1].map(1, 2)\n | ........^",
        ),
        (
            "timestamp('now') == timestamp('2026-01-01T00:00:00Z')",
            "ERROR: <input>:1:11: invalid timestamp argument\n | timestamp('now') == timestamp('2026-01-01T00:00:00Z')\n | ..........^",
        ),
        (
            "[1, 'a']",
            "ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, 'a']\n | ....^",
        ),
    ];
    for (text, want) in rows {
        assert_eq!(run(text), want, "{text}");
    }
}

/// What the mutations of a policy are made of.
#[test]
fn objects_and_patches() {
    let known = [("Object", Type::Type), ("object", Type::Dyn)];
    let run = |text: &str| match compile(text, &known) {
        Err(report) => report,
        Ok(program) => {
            let values = [("object", Val::of(&obj! { "n": 1 }, &Value::Null, false))];
            match program.run(&values.into_iter().collect()).map(|v| v.to_value()) {
                Ok(Ok(value)) => format!("{} {}", program.result, value.to_json()),
                Ok(Err(why)) => format!("! {why}"),
                Err(failure) => format!("! {failure}"),
            }
        }
    };
    let rows = [
        ("Object{}", "Object {}"),
        (
            "Object{spec: Object.spec{replicas: 3, list: [1, 2], map: {'a': 'b'}}}",
            r#"Object {"spec":{"list":[1,2],"map":{"a":"b"},"replicas":3}}"#,
        ),
        ("Object{?a: object.?n, ?b: object.?m}", r#"Object {"a":1}"#),
        ("Object{list: [1, 2, 3]}.list.sum()", "dyn 6"),
        (
            "Object{spec: Object.spec{replicas: 3}} == Object{spec: Object.spec{replicas: 1 + 2}}",
            "bool true",
        ),
        (
            "true ? [JSONPatch{op: 'add', path: '/a/' + jsonpatch.escapeKey('x/y~z'), value: 3}] : []",
            r#"list(JSONPatch) [{"op":"add","path":"/a/x~1y~0z","value":3}]"#,
        ),
        ("false ? [JSONPatch{op: 'add'}] : []", "list(JSONPatch) []"),
        ("[]", "list(dyn) []"),
        (
            "JSONPatch{op: 1}",
            "ERROR: <input>:1:13: expected type of field 'op' is 'string' but provided type is 'int'\n | JSONPatch{op: 1}\n | ............^",
        ),
        (
            "JSONPatch{nope: 1}",
            "ERROR: <input>:1:15: undefined field 'nope'\n | JSONPatch{nope: 1}\n | ..............^",
        ),
        (
            "Object{a: {1: 'b'}}",
            "! fail to convert field \"a\": map key \"1\" is of type int, not string",
        ),
    ];
    for (text, want) in rows {
        assert_eq!(run(text), want, "{text}");
    }
    let mut wrong = Vec::new();
    let program = compile("Object{a: [Object.a{b: Object.wrong{}}]}", &known).unwrap();
    program.run(&FlatMap::new()).unwrap().misnamed("Object", &mut wrong);
    let want = "unexpected type name \"Object.wrong\", expected \"Object.a.b\", which matches field name path from root \
                Object type";
    assert_eq!(wrong, [want]);
}

/// The estimates of what expressions cost, which are those of the API server's own table
/// (`TestCelEstimatedCostStability`).
#[test]
fn costs() {
    let text = || obj! { "type": "string" };
    let list = |item: Value| obj! { "type": "array", "items": item };
    let int = || obj! { "type": "integer" };
    let object = |properties: Value| obj! { "type": "object", "properties": properties };
    let pair = |a: Value, b: Value| object(obj! { "val1": a, "val2": b });
    let format = |kind: &str| obj! { "type": "string", "format": kind };
    let ints = pair(int(), obj! { "type": "number" });
    let texts = pair(text(), text());
    let lists = pair(list(int()), list(int()));
    let sets = pair(list(text()), list(text()));
    let map = obj! { "type": "object", "additionalProperties": text() };
    let maps = pair(map.clone(), map);
    let nested = object(obj! { "objs": list(list(object(obj! { "k": text(), "v": text() }))) });
    let bounded = pair(
        obj! { "type": "array", "maxItems": 10, "items": obj! { "type": "string", "maxLength": 5 } },
        obj! { "type": "string", "enum": list!["Pending", "Bound"] },
    );
    let rows: &[(&Value, &str, u64)] = &[
        (&ints, "self.val1 == self.val1", 4),
        (&ints, "type(self.val1) == int", 4),
        (&ints, "double(self.val1) < self.val2", 6),
        (&ints, "double(5) < 10.0", 2),
        (&texts, "self.val1.startsWith('Rook')", 3),
        (&texts, "self.val1.matches('^[^0-9]*$')", 943_721),
        (&texts, "!self.val1.matches('^[0-9]*$')", 629_149),
        (&texts, "size(self.val1) == 12", 4),
        (&texts, "self.val1.charAt(3) == 'k'", 4),
        (&texts, "self.val1.indexOf('o') == 1", 314_576),
        (&texts, "self.val1.replace(' ', 'x') == 'Rookxtakesx👑'", 629_150),
        (&texts, "self.val1.split(' ') == ['Rook', 'takes', '👑']", 629_159),
        (&texts, "self.val1.substring(4, 10).trim() == 'takes'", 629_149),
        (&texts, "self.val1.lowerAscii() == self.val1.lowerAscii()", 943_723),
        (&texts, "self.val1 == self.val2", 314_577),
        (&lists, "1 in self.val1", 1_572_865),
        (&lists, "self.val2[0] in self.val1", 1_572_868),
        (&lists, "self.val1 + self.val2 == [1, 2, 3, 1, 2, 3]", 16),
        (&lists, "self.val1 + [4, 5] == [1, 2, 3, 4, 5]", 24),
        (&lists, "has(self.val1) && has(self.val2)", 2),
        (&lists, "self.val1.all(k, size(self.val1) > 0)", 11_010_044),
        (&lists, "self.val1.exists_one(k, self.val1 == [2])", 23_592_949),
        (&lists, "!self.val1.exists_one(k, size(self.val1) > 0)", 9_437_183),
        (
            &lists,
            "size(self.val1.filter(k, size(self.val1) > 1)) == 1",
            26_738_686,
        ),
        (&sets, "self.val1 == self.val2", 104_862),
        (&sets, "'a' in self.val1", 1_048_577),
        (&maps, "self.val1 == self.val2", 39_326),
        (&maps, "'k1' in self.val1", 3),
        (&maps, "self.val1 == {'k1': 'a', 'k2': 'b'}", 33),
        (&maps, "self.val1.all(k, size(self.val1) > 0)", 2_752_508),
        (&maps, "size(self.val1.filter(k, size(self.val1) > 1)) == 1", 6_684_670),
        (&nested, "self.objs[0] == self.objs[1]", 104_864),
        (&nested, "self.objs[0] == [self.objs[0][0], self.objs[0][1]]", 22),
        (&nested, "self.objs[0].all(k, size(self.objs[0]) > 0)", 8_388_604),
        (
            &nested,
            "size(self.objs[0].filter(k, size(self.objs[0]) > 1)) == 1",
            18_874_366,
        ),
        // Limits in the schema.
        (&bounded, "self.val1.all(t, t.contains('ab'))", 63),
        (&bounded, "self.val2 in ['Pending', 'Available']", 14),
        (&bounded, "self.val1.exists(t, t == self.val2)", 83),
    ];
    let mut wrong = Vec::new();
    for (schema, text, want) in rows {
        let own = schema_type(schema, true).unwrap();
        match compile_costed(text, &[("self", own)], schema, true) {
            Ok((_, cost)) if cost == *want => {}
            Ok((_, cost)) => wrong.push(format!("{text}: {cost}, not {want}")),
            Err(report) => wrong.push(report),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let times = [
        (
            format("duration"),
            format("duration"),
            "self.val1 == duration('1h2m') + duration('3s4ms')",
            6,
        ),
        (format("date-time"), format("date"), "self.val1.getHours() == 1", 4),
        (format("byte"), text(), "bytes(self.val2) == self.val1", 629_150),
        (format("byte"), text(), "string(self.val1) == self.val2", 629_150),
        (int(), text(), "string(self.val1) == self.val2", 314_578),
    ];
    for (a, b, text, want) in times {
        let schema = pair(a, b);
        let own = schema_type(&schema, true).unwrap();
        let cost = compile_costed(text, &[("self", own)], &schema, true).map(|(_, cost)| cost);
        assert_eq!(cost, Ok(want), "{text}");
    }
}

#[test]
fn deep_long_and_endless_expressions_are_refused() {
    let deep = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let long = vec!["1"; 5_000].join(" + ");
    let path = format!("self{}", ".a".repeat(5_000));
    for text in [deep, long, path] {
        assert!(run(&text).contains("recursion limit exceeded"));
    }
    let wide = vec!["true"; 5_000].join(" && ");
    assert_eq!(run(&wide), "true");
    let slow = "lists.range(900).all(a, lists.range(900).all(b, lists.range(900).all(c, true)))";
    assert_eq!(run(slow), "! operation cancelled: actual cost limit exceeded");
}

proptest::proptest! {
    #[test]
    fn never_panics(text in "[a-z0-9.()\\[\\]{}'\"\\\\ +*/%<>=!&|?:,_-]{0,60}") {
        run(&text);
        run(&format!("self.spec.name{text}"));
    }
}
