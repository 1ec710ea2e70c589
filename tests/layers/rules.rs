//! The rules, and the search for violations.

use crate::{
    Layers, Part,
    parse::{File, Form, Mention, Path},
    tree::{Target, Tree},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Order,
    Definition,
    Circle,
    Tokio,
    Std,
    /// A rule can't be checked.
    Unknown,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Order => "each imports only from those above it in the order",
            Self::Definition => "imports name the folder where a thing is defined",
            Self::Circle => "the files of a folder do not import each other in circles",
            Self::Tokio => "only the shells over tokio and lib.rs use that feature",
            Self::Std => "the core does not use std, except for what is listed",
            Self::Unknown => "this test can't find the definition",
        })
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    /// The path within the directory of sources.
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) arrow: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, file, line, arrow } = self;
        write!(f, "src/{file}:{line}: {arrow}: {rule}")
    }
}

pub(crate) struct Report {
    pub(crate) violations: Vec<Violation>,
    pub(crate) files: usize,
    /// The number of arrows from a file to a name defined in another one.
    pub(crate) arrows: usize,
}

pub(crate) fn check(tree: &Tree, layers: &Layers) -> Report {
    let mut checker = Checker { tree, layers, arrows: Vec::new(), violations: BTreeSet::new() };
    for file in tree.files.iter().filter(|file| file.path != "lib.rs") {
        checker.file(file);
    }
    checker.circles();
    Report {
        files: tree.files.len(),
        arrows: checker.arrows.len(),
        violations: checker.violations.into_iter().collect(),
    }
}

/// An arrow from one file to another.
struct Arrow<'a> {
    from: &'a File,
    to: &'a File,
    name: String,
    line: usize,
}

struct Checker<'a> {
    tree: &'a Tree,
    layers: &'a Layers,
    arrows: Vec<Arrow<'a>>,
    violations: BTreeSet<Violation>,
}

/// Returns the file or folder at the top of the sources that contains a module.
fn top(module: &[String]) -> Option<&str> {
    module.first().map(String::as_str)
}

impl Layers {
    fn place(&self, layer: &str) -> Option<usize> {
        self.order.iter().position(|(name, _)| *name == layer)
    }

    fn is_core(&self, layer: &str) -> bool {
        self.place(layer).is_some_and(|at| self.order[at].1 == Part::Core)
    }

    fn is_apart(&self, one: &str, other: &str) -> bool {
        self.apart.iter().any(|apart| apart.contains(&one) && apart.contains(&other))
    }
}

impl<'a> Checker<'a> {
    fn violation(&mut self, rule: Rule, file: &File, line: usize, arrow: String) {
        self.violations.insert(Violation { rule, file: file.path.clone(), line, arrow });
    }

    fn file(&mut self, file: &'a File) {
        let layer = top(&file.modules[0].path).expect("a file that is not lib.rs");
        if self.layers.place(layer).is_none() {
            self.violation(Rule::Order, file, 1, format!("{layer} is not in the order"));
        }
        for (feature, line) in &file.features {
            if feature == "tokio" && !self.layers.know_tokio.contains(&layer) {
                let arrow = format!("{layer} → feature = \"{feature}\"");
                self.violation(Rule::Tokio, file, *line, arrow);
            }
        }
        for mention in &file.mentions {
            self.std(file, layer, mention);
            if self.goes_on_from_an_import(mention) {
                continue;
            }
            let targets = self.tree.resolve(&mention.module, &mention.segments);
            self.definition(file, layer, mention, &targets);
            self.order(file, layer, mention, &targets);
            for target in &targets {
                self.arrow(file, mention, target);
            }
        }
    }

    /// Returns `true` if a path in code begins with something other than a module, such as a type,
    /// whose import has been checked already.
    fn goes_on_from_an_import(&self, mention: &Mention) -> bool {
        let begins_with = self.tree.resolve(&mention.module, &mention.segments[..1]);
        mention.form == Form::Inline
            && self.tree.absolute(&mention.module, &mention.segments).is_none()
            && !begins_with.iter().any(|target| matches!(target, Target::Module(_)))
    }

    fn std(&mut self, file: &File, layer: &str, mention: &Mention) {
        let path = mention.segments.join("::");
        let path = path.trim_start_matches("::");
        let begins_with = |begin: &str| path == begin || path.starts_with(&format!("{begin}::"));
        let is_listed = self
            .layers
            .std_in_core
            .iter()
            .any(|(place, what, _)| *place == layer && begins_with(what));
        if self.layers.is_core(layer) && begins_with("std") && !is_listed {
            self.violation(Rule::Std, file, mention.line, format!("{layer} → {path}"));
        }
    }

    /// Checks that the path names the folder of the definition.
    fn definition(
        &mut self,
        file: &File,
        layer: &str,
        mention: &Mention,
        targets: &HashSet<Target>,
    ) {
        let Some(path) = self.tree.absolute(&mention.module, &mention.segments) else {
            return;
        };
        let written = mention.segments.join("::");
        let named = path.first().filter(|_| self.tree.is_module(&path[..1]));
        for target in targets {
            let (rule, arrow) = match target {
                Target::Item(module) if named != module.first() => {
                    let to = module.first().map_or("lib.rs", String::as_str);
                    let rest = &path[usize::from(named.is_some())..];
                    let defined: Path = module.iter().take(1).chain(rest).cloned().collect();
                    let better = format!("{written} is crate::{}", defined.join("::"));
                    (Rule::Definition, format!("{layer} → {to} ({better})"))
                }
                Target::Module(module) if module.is_empty() => {
                    (Rule::Definition, format!("{layer} → all of the crate ({written})"))
                }
                Target::Unknown(_) => (Rule::Unknown, format!("{layer} → {written}")),
                _ => continue,
            };
            self.violation(rule, file, mention.line, arrow);
        }
    }

    fn order(&mut self, file: &File, layer: &str, mention: &Mention, targets: &HashSet<Target>) {
        let absolute = self.tree.absolute(&mention.module, &mention.segments).unwrap_or_default();
        let mut layers: BTreeSet<&str> = targets
            .iter()
            .filter_map(|target| match target {
                Target::Item(module) | Target::Module(module) => top(module),
                Target::Unknown(_) | Target::Outside => None,
            })
            .collect();
        // A re-export adds its own layer, if that differs from the definition's.
        layers.extend(top(&absolute).filter(|_| self.tree.is_module(&absolute[..1])));
        for to in layers {
            let is_above = self.layers.place(to) < self.layers.place(layer);
            if to != layer && (!is_above || self.layers.is_apart(to, layer)) {
                let arrow = format!("{layer} → {to} ({})", mention.segments.join("::"));
                self.violation(Rule::Order, file, mention.line, arrow);
            }
        }
    }

    /// Records an arrow to the target of a path in `from`, if it is defined in another file.
    fn arrow(&mut self, from: &'a File, mention: &Mention, target: &Target) {
        let tree = self.tree;
        let mut add = |module: &[String], name: String| {
            let to = tree.file_of(module).filter(|to| to.path != from.path);
            self.arrows.extend(to.map(|to| Arrow { from, to, name, line: mention.line }));
        };
        match (target, &mention.form) {
            (Target::Item(module), form) => {
                let is_only_re_exported = match form {
                    Form::Import { name, public: true } => {
                        module.starts_with(&from.modules[0].path) && !from.words.contains(name)
                    }
                    _ => false,
                };
                if !is_only_re_exported {
                    add(module, mention.segments.join("::"));
                }
            }
            // The names in that module that occur as words in the file.
            (Target::Module(module), Form::Glob) => {
                for word in &from.words {
                    for target in tree.resolve(module, &["self".to_owned(), word.clone()]) {
                        if let Target::Item(module) = target {
                            add(&module, word.clone());
                        }
                    }
                }
            }
            // The uses of a module are in the paths that begin with its name.
            _ => {}
        }
    }

    fn circles(&mut self) {
        // For each folder, which of its files and folders import which.
        let mut folders = BTreeMap::<String, BTreeMap<String, BTreeSet<String>>>::new();
        for arrow in &self.arrows {
            if let Some((folder, from, to)) = within_a_folder(&arrow.from.path, &arrow.to.path) {
                folders.entry(folder).or_default().entry(from).or_default().insert(to);
            }
        }
        for arrow in std::mem::take(&mut self.arrows) {
            let Arrow { from, to, name, line } = &arrow;
            if let Some((folder, begin, end)) = within_a_folder(&from.path, &to.path) {
                if let Some(back) = way(&folders[&folder], &end, &begin) {
                    let circle = format!("{begin} → {}", back.join(" → "));
                    let text = format!("{} → {} ({name}), in {circle}", from.path, to.path);
                    self.violation(Rule::Circle, from, *line, text);
                }
            }
            self.arrows.push(arrow);
        }
    }
}

/// Returns the folder that contains both files, and the part of it that each belongs to: a file, or
/// a folder together with the file of its name. Returns `None` if these are the same, or if the
/// folder is the whole of the sources, to which the order applies.
fn within_a_folder(from: &str, to: &str) -> Option<(String, String, String)> {
    let (from, to): (Vec<_>, Vec<_>) = (from.split('/').collect(), to.split('/').collect());
    let common = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    let name = |path: &[&str]| path[common].trim_end_matches(".rs").to_owned();
    let (begin, end) = (name(&from), name(&to));
    (common > 0 && begin != end).then(|| (from[..common].join("/"), begin, end))
}

/// Returns a shortest path from `begin` to `end`.
fn way(arrows: &BTreeMap<String, BTreeSet<String>>, begin: &str, end: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![begin.to_owned()]];
    let mut seen = HashSet::from([begin.to_owned()]);
    let mut at = 0;
    while let Some(way) = ways.get(at).cloned() {
        let last = way.last().expect("a way is never empty");
        if last == end {
            return Some(way);
        }
        for next in arrows.get(last).into_iter().flatten() {
            if seen.insert(next.clone()) {
                ways.push([way.as_slice(), std::slice::from_ref(next)].concat());
            }
        }
        at += 1;
    }
    None
}
