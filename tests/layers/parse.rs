//! Finds the definitions, the imports and the paths in one file.
//!
//! Skips items that are only compiled for tests (`#[cfg(test)] mod …` and the like).

use crate::tokens::{Kind, Token, tokens};
use std::collections::HashSet;

/// The names of modules, starting at the crate's root.
pub(crate) type Path = Vec<String>;

/// A name in a module's own namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Defined,
    Child,
    Import(Path),
}

#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) path: Path,
    pub(crate) names: Vec<(String, Item)>,
    pub(crate) globs: Vec<Path>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A path in code.
    Inline,
    Import {
        name: String,
        public: bool,
    },
    Glob,
}

/// A path as written in the source.
#[derive(Debug)]
pub(crate) struct Mention {
    /// The module that contains it.
    pub(crate) module: Path,
    /// The segments. The first one is empty if the path begins with `::`.
    pub(crate) segments: Path,
    pub(crate) form: Form,
    pub(crate) line: usize,
}

#[derive(Debug, Default)]
pub(crate) struct File {
    /// The path within the directory of sources, such as `frame/mod.rs`.
    pub(crate) path: String,
    /// The modules: first that of the file itself, then those within it.
    pub(crate) modules: Vec<Module>,
    pub(crate) mentions: Vec<Mention>,
    /// The words in code, except those in imports, in definitions and after `.` and `::`.
    pub(crate) words: HashSet<String>,
    /// The names in `feature = "…"`, with their lines.
    pub(crate) features: Vec<(String, usize)>,
    /// The modules in other files that are only compiled for tests.
    pub(crate) test_modules: Vec<Path>,
}

pub(crate) fn parse(path: &str, source: &str) -> File {
    let tokens = tokens(source);
    let module = Module { path: module_of(path), ..Module::default() };
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        depth: 0,
        open: vec![(0, 0)],
        file: File { path: path.to_owned(), modules: vec![module], ..File::default() },
    };
    parser.file();
    parser.file
}

fn module_of(path: &str) -> Path {
    let path = path.strip_suffix(".rs").expect("a Rust file");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Path::new() } else { path.split('/').map(str::to_owned).collect() }
}

struct Parser<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    /// The number of open braces.
    depth: usize,
    /// The open modules: their index in the file's list, and the depth of their items.
    open: Vec<(usize, usize)>,
    file: File,
}

impl Parser<'_> {
    /// Returns the text of the token `ahead` of the current one, or nothing after the last token.
    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text)
    }

    fn is_word(&self, ahead: usize) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| token.kind == Kind::Word)
    }

    fn text_before(&self, behind: usize) -> &str {
        self.at.checked_sub(behind).map_or("", |at| self.tokens[at].text)
    }

    fn line(&self) -> usize {
        self.tokens[self.at].line
    }

    fn module(&mut self) -> &mut Module {
        let (index, _) = *self.open.last().expect("the file's own module stays open");
        &mut self.file.modules[index]
    }

    fn file(&mut self) {
        let mut only_in_tests = false;
        while self.at < self.tokens.len() {
            if self.text(0) == "#" && matches!(self.text(1), "[" | "!") {
                only_in_tests |= self.is_only_in_tests();
                self.attribute();
            } else if std::mem::take(&mut only_in_tests) {
                self.skip_item();
            } else {
                self.step();
            }
        }
    }

    fn step(&mut self) {
        match self.text(0) {
            "{" => {
                self.depth += 1;
                self.at += 1;
            }
            "}" => {
                self.depth -= 1;
                if self.open.last().is_some_and(|(_, depth)| *depth > self.depth) {
                    self.open.pop();
                }
                self.at += 1;
            }
            // The path in a visibility is not a use.
            "pub" if self.text(1) == "(" => {
                self.at += 1;
                self.skip_group();
            }
            // `impl Trait + use<'a>` captures a lifetime and imports nothing.
            "use" if self.text(1) != "<" => self.import(),
            "mod" if self.is_word(1) => self.child(),
            "macro_rules" if self.text(1) == "!" => self.define(2),
            "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static"
                if self.is_word(1) && !matches!(self.text(1), "fn" | "unsafe" | "async") =>
            {
                self.define(1);
            }
            _ if self.is_word(0) => self.path(),
            "::" if self.is_word(1) && !self.continues_a_path() => self.path(),
            _ => self.at += 1,
        }
    }

    /// Returns `true` if the `::` here continues something before it, such as `<T as Trait>::Item`.
    fn continues_a_path(&self) -> bool {
        matches!(self.text_before(1), ">" | ")" | "]")
    }

    /// Returns `true` if the word here belongs to what precedes it, as a field does. The end of a
    /// range does not.
    fn is_member(&self) -> bool {
        match self.text_before(1) {
            "::" => true,
            "." => self.text_before(2) != ".",
            _ => false,
        }
    }

    /// Moves past the group of brackets that begins here.
    fn skip_group(&mut self) {
        let mut depth = 0;
        while self.at < self.tokens.len() {
            match self.text(0) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// Reads an attribute, which may name features and paths.
    fn attribute(&mut self) {
        let begin = self.at;
        while self.text(0) != "[" {
            self.at += 1;
        }
        self.skip_group();
        let end = std::mem::replace(&mut self.at, begin);
        while self.at < end {
            if self.is_word(0) { self.path() } else { self.at += 1 }
        }
    }

    /// Returns `true` if the attribute here is a `cfg` that is only true in tests.
    fn is_only_in_tests(&self) -> bool {
        let [cfg, open] = [self.text(2), self.text(3)];
        self.text(1) == "[" && cfg == "cfg" && open == "(" && self.needs_test(&mut 4)
    }

    /// Returns `true` if the condition `ahead` is false outside of tests. Moves past it.
    fn needs_test(&self, ahead: &mut usize) -> bool {
        let word = self.text(*ahead);
        *ahead += 1;
        if self.text(*ahead) == "=" {
            *ahead += 2;
        }
        if self.text(*ahead) != "(" {
            return word == "test";
        }
        let mut parts = Vec::new();
        *ahead += 1;
        while !matches!(self.text(*ahead), ")" | "") {
            parts.push(self.needs_test(ahead));
            *ahead += usize::from(self.text(*ahead) == ",");
        }
        *ahead += 1;
        match word {
            "all" => parts.contains(&true),
            "any" => !parts.contains(&false),
            _ => false,
        }
    }

    fn skip_item(&mut self) {
        if self.text(0) == "pub" {
            self.at += 1;
            if self.text(0) == "(" {
                self.skip_group();
            }
        }
        if self.text(0) == "mod" && self.text(2) == ";" {
            let name = self.text(1).to_owned();
            let mut path = self.module().path.clone();
            path.push(name);
            self.file.test_modules.push(path);
        }
        let to_semicolon = match self.text(0) {
            "const" => !matches!(self.text(1), "fn" | "unsafe" | "async"),
            "use" | "let" | "static" | "type" => true,
            "mod" | "fn" | "struct" | "enum" | "trait" | "impl" | "unsafe" | "async" | "extern"
            | "macro_rules" | "{" => false,
            // A field or an expression: handled like any other.
            _ => return,
        };
        while self.at < self.tokens.len() {
            match self.text(0) {
                ";" => return self.at += 1,
                "{" if !to_semicolon => return self.skip_group(),
                "(" | "[" | "{" => self.skip_group(),
                _ => self.at += 1,
            }
        }
    }

    /// Records the name `ahead` as defined here, unless it is local to a function.
    fn define(&mut self, ahead: usize) {
        let name = self.text(ahead).to_owned();
        if self.open.last().is_some_and(|(_, depth)| *depth == self.depth) {
            self.module().names.push((name, Item::Defined));
        }
        self.at += ahead + 1;
    }

    fn child(&mut self) {
        let name = self.text(1).to_owned();
        self.module().names.push((name.clone(), Item::Child));
        if self.text(2) == "{" {
            let mut path = self.module().path.clone();
            path.push(name);
            self.depth += 1;
            self.open.push((self.file.modules.len(), self.depth));
            self.file.modules.push(Module { path, ..Module::default() });
        }
        self.at += 3;
    }

    fn mention(&mut self, segments: Path, form: Form, line: usize) {
        let module = self.module().path.clone();
        self.file.mentions.push(Mention { module, segments, form, line });
    }

    /// Reads a path in code, or a word.
    fn path(&mut self) {
        let line = self.line();
        let mut segments = Path::new();
        if self.text(0) == "::" {
            segments.push(String::new());
            self.at += 1;
        } else if self.text(0) == "feature" && self.text(1) == "=" {
            self.file.features.push((self.text(2).trim_matches('"').to_owned(), line));
        } else if self.is_member() {
            self.at += 1;
            return;
        }
        segments.push(self.text(0).to_owned());
        self.at += 1;
        while self.text(0) == "::" && self.is_word(1) {
            segments.push(self.text(1).to_owned());
            self.at += 2;
        }
        self.file.words.insert(segments[0].clone());
        if segments.len() > 1 {
            self.mention(segments, Form::Inline, line);
        }
    }

    fn import(&mut self) {
        let public = matches!(self.text_before(1), "pub" | ")");
        self.at += 1;
        let mut prefix = Path::new();
        if self.text(0) == "::" {
            prefix.push(String::new());
            self.at += 1;
        }
        self.tree(prefix, public);
        // The semicolon.
        self.at += 1;
    }

    fn tree(&mut self, mut prefix: Path, public: bool) {
        loop {
            let line = self.line();
            match self.text(0) {
                "*" => {
                    self.at += 1;
                    self.module().globs.push(prefix.clone());
                    return self.mention(prefix, Form::Glob, line);
                }
                "{" => {
                    self.at += 1;
                    while self.text(0) != "}" {
                        self.tree(prefix.clone(), public);
                        self.at += usize::from(self.text(0) == ",");
                    }
                    self.at += 1;
                    return;
                }
                "self" if !prefix.is_empty() => self.at += 1,
                segment => {
                    prefix.push(segment.to_owned());
                    self.at += 1;
                }
            }
            if self.text(0) == "::" {
                self.at += 1;
                continue;
            }
            let mut name = prefix.last().expect("a path of at least one name").clone();
            if self.text(0) == "as" {
                name = self.text(1).to_owned();
                self.at += 2;
            }
            self.module().names.push((name.clone(), Item::Import(prefix.clone())));
            return self.mention(prefix, Form::Import { name, public }, line);
        }
    }
}
