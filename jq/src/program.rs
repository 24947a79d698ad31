//! A program as jq reads it: how deep it is, its terms, and what is wrong with it in the words of jq's grammar.

use jaq_core::load::lex::{Lexer, StrPart, Tok, Token};
use jaq_core::load::parse::{Parser, Term};

/// The message of a program that cannot be compiled: what is wrong, and where it begins.
pub type Wrong = Vec<(String, usize)>;

/// Where a part of the program begins.
pub fn place(program: &str, part: &str) -> usize {
    let at = part.as_ptr().addr().wrapping_sub(program.as_ptr().addr());
    if at <= program.len() { at } else { 0 }
}

/// An error of a program with the line that it is on, and as many blanks as stand before it.
pub fn located(program: &str, sentence: &str, at: usize) -> String {
    let before = program.get(..at).unwrap_or(program);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let text = program.get(start..).unwrap_or_default();
    let text = text.split('\n').next().unwrap_or_default();
    let pad = " ".repeat(before.len() - start);
    format!("jq: error: {sentence} at <top-level>, line {line}:\n{text}{pad}\n")
}

/// What jq's grammar calls a piece of a program.
fn piece(text: &str) -> String {
    const KEYWORDS: [&str; 22] = [
        "as", "import", "include", "module", "def", "if", "then", "else", "elif", "reduce", "foreach", "end", "and",
        "or", "try", "catch", "label", "break", "__loc__", "not", "//", "?//",
    ];
    let word: String = text
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    let mut chars = text.chars();
    match chars.next() {
        None => END.to_owned(),
        Some('"') => "QQSTRING_START".to_owned(),
        Some('@') => "FORMAT".to_owned(),
        Some('.') if chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') => "FIELD".to_owned(),
        Some('0'..='9') => "LITERAL".to_owned(),
        Some(_) if word == "not" => "IDENT".to_owned(),
        Some(_) if KEYWORDS.contains(&word.as_str()) => word,
        Some(_) if !word.is_empty() => "IDENT".to_owned(),
        Some(c) => {
            let pair: String = text.chars().take(2).collect();
            match pair.as_str() {
                "==" | "!=" | "//" | "|=" | "+=" | "-=" | "*=" | "/=" | "%=" | "<=" | ">=" | ".." => pair,
                _ if "|,.[{(:;$?+-*/%=<>".contains(c) => format!("'{c}'"),
                _ => "INVALID_CHARACTER".to_owned(),
            }
        }
    }
}

/// What jq's grammar calls a piece that the parser found, at its place in the program. A bracket there closes what is open,
/// as none does that the lexer stopped at.
fn found_piece(program: &str, found: &str) -> String {
    match found {
        "]" | "}" => format!("'{found}'"),
        ")" => {
            let before = program.get(..place(program, found));
            match before.and_then(opened) {
                Some(text) if text.ends_with('\\') => "QQSTRING_INTERP_END".to_owned(),
                _ => "')'".to_owned(),
            }
        }
        other => piece(other),
    }
}

/// Where the last piece of a program begins.
fn last_piece(program: &str) -> usize {
    let trimmed = program.trim_end();
    let word = trimmed.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if word.len() == trimmed.len() {
        return trimmed.char_indices().next_back().map_or(0, |(at, _)| at);
    }
    let marked = word.strip_suffix(['.', '$', '@']).unwrap_or(word);
    marked.len()
}

/// The error of a program that does not fit the grammar. jq says what it expected where that is little.
pub fn syntax(program: &str, found: &str, unexpected: &str, expected: &str) -> (String, usize) {
    let at = if found.is_empty() {
        last_piece(program)
    } else {
        place(program, found)
    };
    let expected = match expected {
        "" => String::new(),
        expected => format!(", expecting {expected}"),
    };
    let shell = "(Unix shell quoting issues?)";
    (format!("syntax error, unexpected {unexpected}{expected} {shell}"), at)
}

/// What jq's grammar calls a program's end.
pub const END: &str = "end of file";

/// Parses a program; with it come the names that it defines.
pub fn parse(program: &str) -> Result<(Term<&str>, Vec<&str>), Wrong> {
    use jaq_core::load::lex::Expect as Character;
    let tokens = Lexer::new(program).lex().map_err(|errors| {
        // The innermost comes first, and what is around it ends too early as well.
        let Some((expected, found)) = errors.first() else {
            return Vec::new();
        };
        let before = program.get(..place(program, found)).unwrap_or_default().trim_end();
        // What is no piece at all comes after what the parser had taken until then.
        if matches!(expected, Character::Token)
            && let Err(earlier) = parse_before(before, program, found)
        {
            return earlier;
        }
        let begun = before.ends_with(|c| "{([:,;|+-*/%=<>".contains(c)) && !found.is_empty();
        let words = match expected {
            Character::Delim("\"") => "QQSTRING_TEXT or QQSTRING_INTERP_START or QQSTRING_END",
            Character::Delim(_) if begun => "",
            Character::Delim("{") => "'}'",
            Character::Delim("(") if called(program) => "';' or ')'",
            Character::Token if !before.ends_with('.') || before.ends_with("..") => END,
            _ => "",
        };
        vec![syntax(program, found, &piece(found), words)]
    })?;
    if tokens.is_empty() {
        return Err(vec![NO_PROGRAM]);
    }
    let alone = Parser::new(&tokens).parse(|p| p.defs());
    if alone.is_ok_and(|defs| !defs.is_empty()) {
        return Err(vec![NO_PROGRAM]);
    }
    let mut names = Vec::new();
    defined(&tokens, &mut names);
    let term = parse_tokens(program, &tokens, "")?;
    Ok((term, names))
}

/// Parses what stands before a piece that is none; an error is about what comes first.
fn parse_before(before: &str, program: &str, stray: &str) -> Result<(), Wrong> {
    match Lexer::new(before).lex() {
        Ok(tokens) if !tokens.is_empty() => parse_tokens(program, &tokens, stray).map(|_| ()),
        _ => Ok(()),
    }
}

/// Parses the tokens of a program, behind which stands the end, or what is no token.
fn parse_tokens<'s>(program: &'s str, tokens: &[Token<&'s str>], end: &'s str) -> Result<Term<&'s str>, Wrong> {
    use jaq_core::load::parse::Expect;
    Parser::new(tokens).parse(|p| p.term()).map_err(|errors| {
        let Some((expected, token)) = errors.into_iter().next() else {
            return vec![syntax(program, "", &piece(""), "")];
        };
        let found = token.map_or(end, |t| t.as_str());
        let words = match expected {
            Expect::Nothing => END,
            Expect::Term
                if !found.is_empty()
                    && program
                        .get(..place(program, found))
                        .is_some_and(|b| b.trim().is_empty()) =>
            {
                END
            }
            Expect::Pattern => "BINDING or '[' or '{'",
            Expect::Just("|") => "'|'",
            Expect::CommaOrRBrace => "'}'",
            Expect::Key if found.is_empty() => "FORMAT or QQSTRING_START or '['",
            _ => "",
        };
        let piece = if token.is_none() {
            piece(end)
        } else {
            found_piece(program, found)
        };
        let mut wrong = vec![syntax(program, found, &piece, words)];
        let unfinished = matches!(expected, Expect::ElseOrEnd | Expect::Just("then" | "end")) && token.is_none();
        if let Some(at) = program.find("if").filter(|_| unfinished) {
            wrong.push(("Possibly unterminated 'if' statement".to_owned(), at));
        }
        wrong
    })
}

/// How deep a program may be nested, so that none is too deep for the parser, which recurses.
const DEEPEST: usize = 300;

/// Whether a program is nested too deeply.
pub fn too_deep(program: &str) -> bool {
    deepest_bracket(program) > DEEPEST || Lexer::new(program).lex().is_ok_and(|tokens| depth(&tokens) > DEEPEST)
}

/// How many brackets are open at once at most: the lexer recurses for them. Those of strings and comments are none.
fn deepest_bracket(program: &str) -> usize {
    // For each one that is open, whether it is in a string, which goes on behind it.
    let mut open = Vec::new();
    let mut deepest = 0;
    let (mut string, mut comment) = (false, false);
    let mut bytes = program.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            // A backslash goes before one more byte, also before a comment's end, which then is none.
            b'\\' if comment => drop(bytes.next()),
            b'\\' if string => {
                let interpolates = bytes.next() == Some(b'(');
                open.extend(interpolates.then_some(true));
                string = !interpolates;
            }
            b'\n' => comment = false,
            _ if comment => {}
            b'"' => string = !string,
            _ if string => {}
            b'#' => comment = true,
            b'(' | b'[' | b'{' => open.push(false),
            b')' | b']' | b'}' => string = open.pop().unwrap_or(false),
            _ => {}
        }
        deepest = deepest.max(open.len());
    }
    deepest
}

/// How deep the tree of some tokens is at most: each operator and each word that begins something may hold all that
/// follows, up to a semicolon, behind which it may still stand in what is defined before.
fn depth(tokens: &[Token<&str>]) -> usize {
    const WORDS: [&str; 12] = [
        "and", "as", "catch", "def", "elif", "foreach", "if", "label", "or", "reduce", "try", "else",
    ];
    let holds = |Token(text, kind): &Token<&str>| match kind {
        Tok::Word => WORDS.contains(text),
        Tok::Sym => !text.starts_with('.') && ![":", "?"].contains(text),
        _ => false,
    };
    let parts = tokens.split(|Token(text, _)| *text == ";");
    let longest = parts.map(|part| part.iter().filter(|t| holds(t)).count()).max();
    // What stands behind a value and leads into it holds nothing, but each part is looked up within the one before.
    let mut longest_path = 0_usize;
    let mut path = 0;
    for Token(text, kind) in tokens {
        let leads = matches!(kind, Tok::Sym if text.starts_with(['.', '?']))
            || matches!(kind, Tok::Block(_) if text.starts_with('['))
            || matches!(kind, Tok::Str(_));
        path = if leads { path + 1 } else { 0 };
        longest_path = longest_path.max(path);
    }
    let definitions = tokens.iter().filter(|Token(text, _)| *text == "def").count();
    let inner = tokens.iter().map(|Token(_, kind)| match kind {
        Tok::Block(tokens) => depth(tokens),
        Tok::Str(parts) => {
            let parts = parts.iter().filter_map(|part| match part {
                StrPart::Term(token) => Some(depth(std::slice::from_ref(token))),
                _ => None,
            });
            parts.max().unwrap_or(0)
        }
        _ => 0,
    });
    1 + longest.unwrap_or(0) + longest_path.saturating_sub(1) + definitions + inner.max().unwrap_or(0)
}

/// The names that a program gives to functions and their parameters.
fn defined<'s>(tokens: &[Token<&'s str>], names: &mut Vec<&'s str>) {
    let mut before = "";
    for (at, Token(text, kind)) in tokens.iter().enumerate() {
        match kind {
            Tok::Word if before == "def" => {
                names.push(text);
                if let Some(Token(_, Tok::Block(parameters))) = tokens.get(at + 1) {
                    names.extend(parameters.iter().map(|Token(text, _)| *text));
                }
            }
            Tok::Block(inner) => defined(inner, names),
            Tok::Str(parts) => {
                for part in parts {
                    if let StrPart::Term(token) = part {
                        defined(std::slice::from_ref(token), names);
                    }
                }
            }
            _ => {}
        }
        before = text;
    }
}

/// Whether the last parenthesis that is open stands behind a name.
fn called(program: &str) -> bool {
    opened(program).is_some_and(|text| text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
}

/// What stands before the last parenthesis that is open.
fn opened(program: &str) -> Option<&str> {
    let mut open = Vec::new();
    for (at, c) in program.char_indices() {
        match c {
            '(' => open.push(at),
            ')' => drop(open.pop()),
            _ => {}
        }
    }
    open.last().and_then(|at| program.get(..*at))
}

/// The error of a program that is empty, which names no place.
const NO_PROGRAM: (String, usize) = (String::new(), 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_of_strings_and_comments_are_none() {
        for (program, expected) in [
            ("", 0),
            ("[{a: (1)}]", 3),
            ("[1][2](3)", 1),
            (r#"["]", ["]", ["["]]]"#, 3),
            ("[ # ]\n[ # ]\n[1]]]", 3),
            ("[ # ends not \\\n ]\n[1]]", 2),
            (r#""a\(1 + "b\([2])")c(((""#, 3),
            (r#""\"(((""#, 0),
            (r#""\\" + ((1))"#, 2),
            ("]]][", 1),
        ] {
            assert_eq!(deepest_bracket(program), expected, "{program}");
        }
    }

    #[test]
    fn programs_have_a_depth() {
        for (program, least, most) in [
            (".", 1, 3),
            ("1 | 2 | 3", 2, 4),
            (".a.b[0].c", 4, 6),
            ("[[1]]", 3, 5),
            ("def f: 1; def g: 2; f", 3, 6),
        ] {
            let depth = Lexer::new(program).lex().map_or(0, |tokens| depth(&tokens));
            assert!((least..=most).contains(&depth), "{program}: {depth}");
        }
        for (open, close) in [
            ("[", "]"),
            ("(1,", ")"),
            ("-", ""),
            ("if 1 then ", " end"),
            ("try ", ""),
            ("1|", ""),
            ("1+", ""),
            ("[ # ]\n", "]"),
            ("[\"]\", ", "]"),
            (".[0]", ""),
            (".a", ""),
            ("def f: ", "; f"),
        ] {
            let program = |count: usize| format!("{}1{}", open.repeat(count), close.repeat(count));
            assert!(!too_deep(&program(80)), "{open}");
            assert!(too_deep(&program(400)), "{open}");
        }
    }
}
