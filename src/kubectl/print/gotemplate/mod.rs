//! Go templates, as kubectl's `-o go-template` runs Go's `text/template`: its grammar, functions and
//! error sentences. Knows only `value` and `limits`.

mod exec;
mod funcs;
mod lex;
mod parse;
mod printf;

use crate::limits;
use crate::value::{Value, gofmt, gojson};

/// Why a template cannot be read or run. Displays Go's sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(pub String);

/// The name that kubectl gives its template.
const NAME: &str = "output";

/// A printer of one template.
#[derive(Clone, Debug)]
pub struct GoTemplate {
    text: String,
    templates: parse::Templates,
    allow_missing_keys: bool,
}

/// What a template printed. On an error kubectl prints what came before it, the facts that help to
/// find it, and ends with the error (`error: …`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    pub out: String,
    pub error: Option<TemplateError>,
}

impl GoTemplate {
    /// Parses a template. The error is what kubectl prints after `error: `.
    pub fn new(text: &str, allow_missing_keys: bool) -> Result<GoTemplate, TemplateError> {
        let parsed = if text.len() > limits::TEMPLATE_BYTES {
            Err(TemplateError(format!(
                "the template is larger than the limit of {} bytes",
                limits::TEMPLATE_BYTES
            )))
        } else {
            parse::parse(NAME, text)
        };
        match parsed {
            Ok(templates) => Ok(GoTemplate {
                text: text.to_owned(),
                templates,
                allow_missing_keys,
            }),
            Err(e) => Err(TemplateError(format!("error parsing template {text}, {e}"))),
        }
    }

    /// Runs the template on an object, and explains an error as kubectl does.
    pub fn print(&self, object: &Value) -> Printed {
        let (mut out, result) = exec::execute(&self.templates, NAME, &self.text, object, !self.allow_missing_keys);
        let Err(e) = result else {
            return Printed { out, error: None };
        };
        out.push_str(&format!(
            "Error executing template: {e}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t{}\n\traw data was:\n\t\t{}\n\tobject given to template engine was:\n\t\t{}\n\n",
            self.text,
            gojson::compact(object, true),
            gofmt::display(object)
        ));
        let message = format!("error executing template {}: {e}", gofmt::quote(&self.text));
        Printed {
            out,
            error: Some(TemplateError(message)),
        }
    }
}

/// Runs a template on a value, with missing keys as `<no value>`. For `--template` of other commands.
pub fn execute(text: &str, data: &Value) -> Result<String, TemplateError> {
    let printer = GoTemplate::new(text, true)?;
    let printed = printer.print(data);
    printed.error.map_or(Ok(printed.out), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::yaml::decode;

    fn service() -> Value {
        decode(
            "kind: Service\nmetadata: {name: many, labels: {app: many, tier: front}}\ndata: {user: YWRtaW4=, bad: '*'}\nspec:\n  big: 5000000\n  nothing: null\n  empty: []\n  ready: true\n  ports:\n  - {name: http, port: 80, protocol: TCP}\n  - {name: https, port: 443, protocol: TCP}\n  - {name: dns, port: 53, protocol: UDP}\n  - {name: metrics, port: 9090, protocol: TCP}\n",
        )
        .unwrap()
    }

    fn run(text: &str) -> String {
        match GoTemplate::new(text, true) {
            Err(e) => e
                .to_string()
                .trim_start_matches(&format!("error parsing template {text}, "))
                .to_owned(),
            Ok(t) => {
                let printed = t.print(&service());
                match printed.error {
                    None => printed.out,
                    Some(_) => printed
                        .out
                        .split(". Printing more")
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                }
            }
        }
    }

    #[test]
    fn templates() {
        let mut wrong: Vec<String> = Vec::new();
        for (text, printed) in [
            ("{{.metadata.name}} {{.spec.big}}{{\"\\n\"}}", "many 5000000\n"),
            (
                "{{len .spec.ports}} {{(index .spec.ports 1).port}} {{index .metadata.labels \"tier\"}} {{printf \"%05.1f|%q\" 2.5 .metadata.name}}",
                "4 443 front 002.5|\"many\"",
            ),
            (
                "{{range $i, $p := .spec.ports}}{{if and (eq $p.protocol \"TCP\") (ne $p.name \"metrics\")}}{{$i}}:{{$p.name}} {{else}}- {{end}}{{end}}",
                "0:http 1:https - - ",
            ),
            (
                "{{with .metadata}}{{range $k, $v := .labels}}{{$k}}={{$v}};{{end}}{{end}}",
                "app=many;tier=front;",
            ),
            (
                "{{range .spec.empty}}x{{else}}none{{end}}{{with .nosuch}}y{{else}}z{{end}}",
                "nonez",
            ),
            (
                "{{.spec.nosuch}} {{not .spec.nosuch}} {{or .spec.nosuch \"default\"}} {{.spec.nosuch.deeper}}",
                "<no value> true default <no value>",
            ),
            (
                "{{.spec.nothing}} {{.metadata.labels}} {{.spec.ready}}",
                "<no value> map[app:many tier:front] true",
            ),
            (
                "{{exists .metadata \"labels\" \"app\"}} {{exists .metadata \"x\"}} {{.data.user | base64decode}}",
                "true false admin",
            ),
            ("a {{- /* comment */ -}} b\n{{- 1 }} {{ 2 -}}\n c", "ab1 2c"),
            (
                "{{define \"t\"}}[{{.}}]{{end}}{{template \"t\" .kind}}{{block \"b\" 3}}<{{.}}>{{end}}",
                "[Service]<3>",
            ),
            (
                "{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}{{$y := .kind}}{{$y}} {{$.kind}}",
                "2Service Service",
            ),
            (
                "{{range .spec.ports}}{{if eq .name \"dns\"}}{{break}}{{end}}{{if eq .name \"http\"}}{{continue}}{{end}}{{.name}}{{end}}",
                "https",
            ),
            (
                "{{if eq .kind \"A\"}}a{{else if eq .kind \"Service\"}}s{{else}}z{{end}}",
                "s",
            ),
            (
                "{{print 1 2 \"a\" \"b\" 3}} {{println \"x\" 1}}{{html \"<a&'\\\">\"}} {{js \"it's\\n\"}} {{urlquery \"a b&c/é\"}}",
                "1 2ab3 x 1\n&lt;a&amp;&#39;&#34;&gt; it\\'s\\u000A a+b%26c%2F%C3%A9",
            ),
            (
                "{{slice .kind 1 3}} {{slice .spec.ports 3}} {{len .kind}}",
                "er [map[name:metrics port:9090 protocol:TCP]] 7",
            ),
            (
                "{{lt 1 2}} {{ge \"b\" \"a\"}} {{eq 1 2 1}} {{and 1 0 2}} {{eq .spec.nothing nil}}",
                "true true true 0 true",
            ),
            (
                "{{\"quoted\" | printf \"%s-%s\" \"a\"}} {{`raw`}} {{'a'}} {{0x10}} {{1.50}} {{1e3}}",
                "a-quoted raw 97 16 1.5 1000",
            ),
            (
                "{{printf \"%d %s %v %5d|%-5s|%x %T %t %%\" 42 \"s\" .spec.empty 7 \"ab\" 255 .spec true}}",
                "42 s []     7|ab   |ff map[string]interface {} true %",
            ),
            (
                "{{printf \"%d\" .spec.big}} {{printf \"%s\"}} {{printf \"x\" 1}} {{printf \"%!\"}}",
                "5000000 %!s(MISSING) x%!(EXTRA int=1) %!!(NOVERB)",
            ),
            ("{{range 3}}{{.}}{{end}}", "012"),
            // errors of reading
            (
                "{{nosuchfunc .spec}}",
                "template: output:1: function \"nosuchfunc\" not defined",
            ),
            ("{{.kind", "template: output:1: unclosed action"),
            ("{{if .kind}}x", "template: output:1: unexpected EOF"),
            ("{{end}}", "template: output:1: unexpected {{end}}"),
            ("{{if}}x{{end}}", "template: output:1: missing value for if"),
            ("{{$x}}", "template: output:1: undefined variable \"$x\""),
            ("{{.a | }}", "template: output:1: missing value for command"),
            ("{{\"abc}}", "template: output:1: unterminated quoted string"),
            ("{{(.a}}", "template: output:1: unclosed left paren"),
            ("{{.a)}}", "template: output:1: unexpected right paren"),
            (
                "\n{{.a # b}}",
                "template: output:2: unrecognized character in action: U+0023 '#'",
            ),
            (
                "{{1 | 2}}",
                "template: output:1: non executable command in pipeline stage 2",
            ),
            ("{{.a.b c}}", "template: output:1: function \"c\" not defined"),
            ("{{}}", "template: output:1: missing value for command"),
            ("{{break}}", "template: output:1: {{break}} outside {{range}}"),
            // errors of running
            (
                "a{{index .spec.ports 9}}",
                "aError executing template: template: output:1:3: executing \"output\" at <index .spec.ports 9>: error calling index: index out of range: 9",
            ),
            (
                "{{.kind.x}}",
                "Error executing template: template: output:1:7: executing \"output\" at <.kind.x>: can't evaluate field x in type interface {}",
            ),
            (
                "{{with .kind}}{{.x}}{{end}}",
                "Error executing template: template: output:1:16: executing \"output\" at <.x>: can't evaluate field x in type string",
            ),
            (
                "{{.spec.nothing.x}}",
                "Error executing template: template: output:1:7: executing \"output\" at <.spec.nothing.x>: nil pointer evaluating interface {}.x",
            ),
            ("{{eq .spec.big 5000000}}", "true"),
            (
                "{{range .kind}}x{{end}}",
                "Error executing template: template: output:1:8: executing \"output\" at <.kind>: range can't iterate over Service",
            ),
            (
                "{{template \"none\"}}",
                "Error executing template: template: output:1:11: executing \"output\" at <{{template \"none\"}}>: template \"none\" not defined",
            ),
            (
                "{{len}}",
                "Error executing template: template: output:1:2: executing \"output\" at <len>: wrong number of args for len: want 1 got 0",
            ),
            (
                "{{.kind 1}}",
                "Error executing template: template: output:1:2: executing \"output\" at <.kind>: kind is not a method but has arguments",
            ),
            (
                "{{base64decode .data.bad}}",
                "Error executing template: template: output:1:2: executing \"output\" at <base64decode .data.bad>: error calling base64decode: base64 decode failed: illegal base64 data at input byte 0",
            ),
            (
                "{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}",
                "Error executing template: template: output:1:25: executing \"r\" at <{{template \"r\"}}>: exceeded maximum template depth (100)",
            ),
        ] {
            let got = run(text);
            if got != printed {
                wrong.push(format!("{text}\n  got  {got}\n  want {printed}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn missing_keys_as_errors() {
        let t = GoTemplate::new("{{.spec.nosuch}}", false).unwrap();
        let printed = t.print(&service());
        assert!(printed.out.starts_with("Error executing template: template: output:1:7: executing \"output\" at <.spec.nosuch>: map has no entry for key \"nosuch\". Printing more information for debugging the template:\n\ttemplate was:\n\t\t{{.spec.nosuch}}\n\traw data was:\n\t\t{\"data\":"), "{}", printed.out);
        assert_eq!(
            printed.error.unwrap().to_string(),
            "error executing template \"{{.spec.nosuch}}\": template: output:1:7: executing \"output\" at <.spec.nosuch>: map has no entry for key \"nosuch\""
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(words in proptest::collection::vec("(\\{\\{-? ?|-? ?\\}\\}|if |range |with |else|end|define|template|\"t\"|index |slice |printf |eq |len |\\.spec|\\.ports|\\.|\\$x|:=|=|\\||\\(|\\)|,|1|-2|1e3|0x|'a'|\"%5.2f %q %[1]*d\"| |\n|é)", 0..25)) {
            let text = words.concat();
            let _ = run(&text);
            let _ = run(&format!("{{{{{text}}}}}"));
        }
    }

    #[test]
    fn output_is_bounded() {
        let text = "{{range 100000}}{{range 100000}}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{{end}}{{end}}";
        assert!(GoTemplate::new(text, true).unwrap().print(&service()).error.is_some());
        let nested = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
        assert!(GoTemplate::new(&format!("{{{{{nested}}}}}"), true).is_err());
    }
}
