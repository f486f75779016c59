//! From a [`Kernel`] to WGSL text: a small preprocessor over the files embedded from `shaders/`.
//!
//! Lines that start with `#` are directives:
//! - `#import lib/random` pastes that file, once.
//! - `#if EXPR` … `#elif EXPR` … `#else` … `#endif` keeps lines by a constant, or a comparison such as
//!   `KERNEL == 3`. `#endif` may repeat a name of its `#if`.
//! - `#for i in A..B` … `#end` repeats lines; `$i` becomes the number, `$(i * 4 + 1)` an integer expression
//!   of loop variables and constants. This unrolls by name, because dynamically indexed private arrays are
//!   slow on every back end.
//!
//! A line `const NAME: u32 = 3u;` stays in the text, and directives and `$` know `NAME` from there on: so a
//! constant that chooses between cases is compared with their names.
//!
//! The kernel's constants stand before the text as `const NAME: u32`, and before them what a constant needs
//! enabled.

use super::launch::Kernel;
use std::collections::BTreeMap;
use std::fmt::Write as _;

mod table {
    include!(concat!(env!("OUT_DIR"), "/shader_table.rs"));
}

/// What is wrong with a shader file, with its name and line.
#[derive(Debug, thiserror::Error)]
#[error("shader {shader}, line {line}: {problem}")]
pub struct ShaderError {
    /// The file below `shaders/`, without its ending.
    pub shader: String,
    /// The line in the file, from 1; 0 where there is no file.
    pub line: usize,
    /// What is wrong with the line.
    pub problem: String,
}

/// Names of all embedded files, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    table::FILES.iter().map(|(name, _)| *name)
}

pub(super) fn text_of(name: &str) -> Option<&'static str> {
    table::FILES.binary_search_by(|(n, _)| (*n).cmp(name)).ok().map(|i| table::FILES[i].1)
}

/// The complete WGSL text of a kernel.
pub fn expand(kernel: &Kernel) -> Result<String, ShaderError> {
    let mut out = String::new();
    // WGSL wants directives before everything else.
    for extension in kernel.enables() {
        writeln!(out, "enable {extension};").expect("a string grows");
    }
    for (name, value) in kernel.constants.iter() {
        writeln!(out, "const {name}: u32 = {value}u;").expect("a string grows");
    }
    let mut variables = kernel.constants.iter().map(|(n, v)| (n.to_owned(), i64::from(v))).collect();
    let mut expander = Expander { out, imported: Vec::new() };
    expander.file(kernel.shader, &mut variables)?;
    Ok(expander.out)
}

type Variables = BTreeMap<String, i64>;

struct Expander {
    out: String,
    imported: Vec<String>,
}

impl Expander {
    fn file(&mut self, name: &str, variables: &mut Variables) -> Result<(), ShaderError> {
        let text = text_of(name).ok_or_else(|| ShaderError {
            shader: name.to_owned(),
            line: 0,
            problem: "there is no such file below shaders/".to_owned(),
        })?;
        let lines: Vec<&str> = text.lines().collect();
        self.block(name, &lines, 0, variables)
    }

    /// Expands `lines`; `first` is the number of lines before them in the file, for messages.
    fn block(
        &mut self,
        shader: &str,
        lines: &[&str],
        first: usize,
        variables: &mut Variables,
    ) -> Result<(), ShaderError> {
        let mut at = 0;
        while at < lines.len() {
            let fail =
                |problem: String| ShaderError { shader: shader.to_owned(), line: first + at + 1, problem };
            let line = lines[at];
            let Some(directive) = line.trim_start().strip_prefix('#') else {
                // A comment may speak of names that only some kernels have.
                let comment = line.trim_start().starts_with("//");
                let text =
                    if comment { line.to_owned() } else { substitute(line, variables).map_err(fail)? };
                variables.extend(named_constant(&text));
                self.out.push_str(&text);
                self.out.push('\n');
                at += 1;
                continue;
            };
            let (word, rest) = directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
            let rest = rest.trim();
            match word {
                "import" => {
                    if !self.imported.iter().any(|i| i == rest) {
                        self.imported.push(rest.to_owned());
                        self.file(rest, variables)?;
                    }
                    at += 1;
                }
                "if" => {
                    let end =
                        closing(lines, at, "if", "endif").ok_or_else(|| fail("#if without #endif".into()))?;
                    let named = argument(lines[end]);
                    if !named.is_empty() && !names_in(rest).any(|name| name == named) {
                        return Err(fail(format!("the #endif of `#if {rest}` names {named}")));
                    }
                    if let Some((from, to)) = kept_branch(lines, at, end, variables).map_err(fail)? {
                        self.block(shader, &lines[from..to], first + from, variables)?;
                    }
                    at = end + 1;
                }
                "for" => {
                    let end =
                        closing(lines, at, "for", "end").ok_or_else(|| fail("#for without #end".into()))?;
                    let (variable, range) =
                        rest.split_once(" in ").ok_or_else(|| fail("expected `#for NAME in A..B`".into()))?;
                    let (low, high) =
                        range.split_once("..").ok_or_else(|| fail("expected a range A..B".into()))?;
                    let low = evaluate(low, variables).map_err(fail)?;
                    let high = evaluate(high, variables).map_err(fail)?;
                    for value in low..high {
                        let mut inner = variables.clone();
                        inner.insert(variable.trim().to_owned(), value);
                        self.block(shader, &lines[at + 1..end], first + at + 1, &mut inner)?;
                    }
                    at = end + 1;
                }
                other => return Err(fail(format!("unknown directive #{other}"))),
            }
        }
        Ok(())
    }
}

/// The name and value of a line `const NAME: u32 = 3u;`.
pub(crate) fn named_constant(line: &str) -> Option<(String, i64)> {
    let (name, value) = line.strip_prefix("const ")?.split_once(": u32 = ")?;
    Some((name.to_owned(), value.strip_suffix("u;")?.parse().ok()?))
}

fn is_directive(line: &str, word: &str) -> bool {
    line.trim_start().strip_prefix('#').is_some_and(|d| d.split_whitespace().next() == Some(word))
}

/// Index of the directive `close` that ends the `open` at `start`.
fn closing(lines: &[&str], start: usize, open: &str, close: &str) -> Option<usize> {
    let mut depth = 0;
    for (index, line) in lines.iter().enumerate().skip(start) {
        if is_directive(line, open) {
            depth += 1;
        } else if is_directive(line, close) {
            depth -= 1;
            if depth == 0 {
                return Some(index);
            }
        }
    }
    None
}

/// What stands behind a directive's word.
fn argument(line: &str) -> &str {
    line.trim_start().split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim())
}

/// The names in an expression.
fn names_in(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|name| !name.is_empty())
}

/// The lines `from..to` of the first branch that holds between the `#if` at `start` and the `#endif` at
/// `end`.
fn kept_branch(
    lines: &[&str],
    start: usize,
    end: usize,
    variables: &Variables,
) -> Result<Option<(usize, usize)>, String> {
    let mut depth = 0;
    let mut kept = (evaluate(argument(lines[start]), variables)? != 0).then_some(start + 1);
    for (index, line) in lines.iter().enumerate().take(end).skip(start + 1) {
        if is_directive(line, "if") {
            depth += 1;
        } else if is_directive(line, "endif") {
            depth -= 1;
        } else if depth == 0 && (is_directive(line, "elif") || is_directive(line, "else")) {
            if let Some(from) = kept {
                return Ok(Some((from, index)));
            }
            let holds = is_directive(line, "else") || evaluate(argument(line), variables)? != 0;
            kept = holds.then_some(index + 1);
        }
    }
    Ok(kept.map(|from| (from, end)))
}

/// Replaces `$name` and `$(expression)`.
fn substitute(line: &str, variables: &Variables) -> Result<String, String> {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(inner) = rest.strip_prefix('(') {
            let mut depth = 1;
            let end = inner
                .char_indices()
                .find(|(_, c)| {
                    depth += i32::from(*c == '(') - i32::from(*c == ')');
                    depth == 0
                })
                .map(|(i, _)| i)
                .ok_or_else(|| "`$(` without its `)`".to_owned())?;
            write!(out, "{}", evaluate(&inner[..end], variables)?).expect("a string grows");
            rest = &inner[end + 1..];
        } else {
            // The longest known name, so that `$i_x` reads as `$i` followed by `_x`.
            let word: &str =
                &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())];
            let name = (1..=word.len())
                .rev()
                .map(|n| &word[..n])
                .find(|n| variables.contains_key(*n))
                .ok_or_else(|| format!("`${word}` is not a loop variable or constant"))?;
            write!(out, "{}", variables[name]).expect("a string grows");
            rest = &rest[name.len()..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Integer expressions: `+ - * / %`, comparisons, `&&`, `||`, parentheses, names, numbers.
fn evaluate(text: &str, variables: &Variables) -> Result<i64, String> {
    let mut parser = Expression { rest: text.trim(), variables };
    let value = parser.level(0)?;
    if parser.rest.is_empty() { Ok(value) } else { Err(format!("cannot read `{text}` as an expression")) }
}

struct Expression<'a> {
    rest: &'a str,
    variables: &'a Variables,
}

/// Binary operators, loosest first; longer spellings before their prefixes.
const LEVELS: &[&[&str]] =
    &[&["||"], &["&&"], &["==", "!=", "<=", ">=", "<", ">"], &["+", "-"], &["*", "/", "%"]];

impl Expression<'_> {
    fn level(&mut self, level: usize) -> Result<i64, String> {
        let Some(operators) = LEVELS.get(level) else { return self.atom() };
        let mut left = self.level(level + 1)?;
        while let Some(operator) = operators.iter().find(|o| self.rest.starts_with(**o)) {
            self.rest = self.rest[operator.len()..].trim_start();
            let right = self.level(level + 1)?;
            left = match *operator {
                "||" => i64::from(left != 0 || right != 0),
                "&&" => i64::from(left != 0 && right != 0),
                "==" => i64::from(left == right),
                "!=" => i64::from(left != right),
                "<=" => i64::from(left <= right),
                ">=" => i64::from(left >= right),
                "<" => i64::from(left < right),
                ">" => i64::from(left > right),
                "+" => left + right,
                "-" => left - right,
                "*" => left * right,
                "/" | "%" if right == 0 => return Err("division by zero".to_owned()),
                "/" => left / right,
                _ => left % right,
            };
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<i64, String> {
        if let Some(inner) = self.rest.strip_prefix('(') {
            self.rest = inner.trim_start();
            let value = self.level(0)?;
            self.rest = self.rest.strip_prefix(')').ok_or("missing `)`")?.trim_start();
            return Ok(value);
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        if let Ok(number) = word.parse() {
            return Ok(number);
        }
        self.variables
            .get(word)
            .copied()
            .ok_or_else(|| format!("`{word}` is not a number, loop variable or constant"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, constants: &[(&'static str, u32)]) -> Result<String, ShaderError> {
        let mut variables = constants.iter().map(|(n, v)| ((*n).to_owned(), i64::from(*v))).collect();
        let mut expander = Expander { out: String::new(), imported: Vec::new() };
        let lines: Vec<&str> = text.lines().collect();
        expander.block("test", &lines, 0, &mut variables)?;
        Ok(expander.out)
    }

    #[test]
    fn loops_unroll_by_name_and_nest() {
        let text = "#for i in 0..2\n#for j in 0..N\na_$i_$j = $(i * N + j);\n#end\n#end";
        assert_eq!(run(text, &[("N", 2)]).unwrap(), "a_0_0 = 0;\na_0_1 = 1;\na_1_0 = 2;\na_1_1 = 3;\n");
    }

    #[test]
    fn conditions_choose_lines() {
        let text = "#if K == 3 && FLAG\nthree\n#else\nother\n#if FLAG\nflag\n#endif\n#endif";
        assert_eq!(run(text, &[("K", 3), ("FLAG", 1)]).unwrap(), "three\n");
        assert_eq!(run(text, &[("K", 5), ("FLAG", 1)]).unwrap(), "other\nflag\n");
        assert_eq!(run(text, &[("K", 5), ("FLAG", 0)]).unwrap(), "other\n");
    }

    #[test]
    fn comments_stand_as_they_are() {
        assert_eq!(run("  // $nobody\na_$(1 + 1)", &[]).unwrap(), "  // $nobody\na_2\n");
    }

    #[test]
    fn a_case_has_a_name() {
        let text =
            "const FIRST: u32 = 1u;\n#if K == FIRST\nfn f_$(FIRST)()\n#endif\nconst SUM: u32 = FIRST + 2u;";
        let expected = "const FIRST: u32 = 1u;\nfn f_1()\nconst SUM: u32 = FIRST + 2u;\n";
        assert_eq!(run(text, &[("K", 1)]).unwrap(), expected);
        assert!(run("#if K == SUM\n#endif", &[("K", 1)]).is_err());
    }

    #[test]
    fn the_first_branch_that_holds_is_kept() {
        let text = "#if A\na\n#elif B == 2\nb\n#if A\nno\n#elif B\nwithin\n#endif A\n#elif B\nlater\n#else\nnone\n#endif A\nend";
        assert_eq!(run(text, &[("A", 1), ("B", 2)]).unwrap(), "a\nend\n");
        assert_eq!(run(text, &[("A", 0), ("B", 2)]).unwrap(), "b\nwithin\nend\n");
        assert_eq!(run(text, &[("A", 0), ("B", 1)]).unwrap(), "later\nend\n");
        assert_eq!(run(text, &[("A", 0), ("B", 0)]).unwrap(), "none\nend\n");
        let error = run("#if A == 1\n#endif B", &[("A", 1), ("B", 1)]).unwrap_err();
        assert!(error.problem.contains("names B"), "{error}");
    }

    #[test]
    fn mistakes_name_the_line() {
        let error = run("ok\n#if MISSING\n#endif", &[]).unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.problem.contains("MISSING"));
        assert!(run("#for i in 0..2\nno end", &[]).is_err());
        assert!(run("#unknown", &[]).is_err());
        assert!(run("$nobody", &[]).is_err());
    }
}
