//! Follows paths through imports and re-exports to the file that defines the last name.

use crate::parse::{File, Item, Module, Path};
use std::collections::{HashMap, HashSet};

/// The target of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// Another crate, or something local to a function, such as a type parameter.
    Outside,
    Module(Path),
    /// Something defined in this module.
    Item(Path),
    /// A name that this module does not have.
    Unknown(Path),
}

pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    /// The modules by path: the index of the file, and the index of the module within the file.
    modules: HashMap<Path, (usize, usize)>,
}

impl Tree {
    /// Builds the tree, without files that are only compiled for tests.
    pub(crate) fn new(mut files: Vec<File>) -> Self {
        let tests: Vec<_> = files.iter().flat_map(|file| file.test_modules.clone()).collect();
        files.retain(|file| !tests.iter().any(|test| file.modules[0].path.starts_with(test)));
        let modules = files
            .iter()
            .enumerate()
            .flat_map(|(index, file)| {
                let modules = file.modules.iter().enumerate();
                modules.map(move |(within, module)| (module.path.clone(), (index, within)))
            })
            .collect();
        Self { files, modules }
    }

    /// Returns the file that contains a module.
    pub(crate) fn file_of(&self, module: &[String]) -> Option<&File> {
        self.modules.get(module).map(|(file, _)| &self.files[*file])
    }

    fn module(&self, path: &[String]) -> Option<&Module> {
        self.modules.get(path).map(|(file, within)| &self.files[*file].modules[*within])
    }

    pub(crate) fn is_module(&self, path: &[String]) -> bool {
        self.modules.contains_key(path)
    }

    /// Returns the path from the crate's root, if it begins with `crate`, `self` or `super`.
    pub(crate) fn absolute(&self, module: &[String], segments: &[String]) -> Option<Path> {
        let (mut from, mut rest) = match segments.first()?.as_str() {
            "crate" => (Path::new(), &segments[1..]),
            "self" | "super" => (module.to_vec(), segments),
            _ => return None,
        };
        while let Some(first) = rest.first() {
            match first.as_str() {
                "self" => {}
                "super" => drop(from.pop()),
                _ => break,
            }
            rest = &rest[1..];
        }
        from.extend_from_slice(rest);
        Some(from)
    }

    /// Returns all possible meanings of a path in `module`: a module and a function can share a
    /// name, and features can choose between definitions.
    pub(crate) fn resolve(&self, module: &[String], segments: &[String]) -> HashSet<Target> {
        let mut found = HashSet::new();
        self.follow(module, segments, &mut HashSet::new(), &mut found);
        found
    }

    fn follow(
        &self,
        module: &[String],
        segments: &[String],
        seen: &mut HashSet<(Path, Path)>,
        found: &mut HashSet<Target>,
    ) {
        if !seen.insert((module.to_vec(), segments.to_vec())) {
            return;
        }
        if let Some(absolute) = self.absolute(module, segments) {
            let at = (0..=absolute.len()).rev().find(|at| self.is_module(&absolute[..*at]));
            let (from, rest) = absolute.split_at(at.unwrap_or(0));
            // Segments after a name that is not a module, such as a variant, do not matter.
            self.look_up(from, rest, seen, found);
        } else if !self.look_up_known(module, segments, seen, found) {
            found.insert(Target::Outside);
        }
    }

    fn look_up(
        &self,
        module: &[String],
        rest: &[String],
        seen: &mut HashSet<(Path, Path)>,
        found: &mut HashSet<Target>,
    ) {
        if let Some(last) = rest.is_empty().then(|| module.split_last()).flatten() {
            // A function can share its name with a module.
            self.look_up_known(last.1, std::slice::from_ref(last.0), seen, found);
            found.insert(Target::Module(module.to_vec()));
        } else if rest.is_empty() {
            found.insert(Target::Module(Path::new()));
        } else if !self.look_up_known(module, rest, seen, found) {
            found.insert(Target::Unknown(module.to_vec()));
        }
    }

    /// Looks up a name in the module. Returns `false` if there is none.
    fn look_up_known(
        &self,
        module: &[String],
        rest: &[String],
        seen: &mut HashSet<(Path, Path)>,
        found: &mut HashSet<Target>,
    ) -> bool {
        let (Some(content), Some(name)) = (self.module(module), rest.first()) else {
            return false;
        };
        let items: Vec<_> =
            content.names.iter().filter(|(known, _)| known == name).map(|(_, item)| item).collect();
        let is_child = items.contains(&&Item::Child);
        for item in &items {
            match item {
                Item::Child => {
                    let mut child = module.to_vec();
                    child.push(name.clone());
                    if rest.len() == 1 {
                        found.insert(Target::Module(child));
                    } else {
                        self.look_up(&child, &rest[1..], seen, found);
                    }
                }
                // If a module and something else share a name, only the module can be followed by
                // further segments.
                _ if is_child && rest.len() > 1 => {}
                Item::Defined => drop(found.insert(Target::Item(module.to_vec()))),
                Item::Import(path) => {
                    let path = [path, &rest[1..]].concat();
                    self.follow(module, &path, seen, found);
                }
            }
        }
        if items.is_empty() {
            return content
                .globs
                .iter()
                .any(|glob| self.follow_glob(module, glob, rest, seen, found));
        }
        true
    }

    /// Looks up a name in the module's glob imports. Returns `false` if there is none.
    fn follow_glob(
        &self,
        module: &[String],
        glob: &[String],
        rest: &[String],
        seen: &mut HashSet<(Path, Path)>,
        found: &mut HashSet<Target>,
    ) -> bool {
        let mut targets = HashSet::new();
        self.follow(module, glob, seen, &mut targets);
        targets.iter().any(|target| match target {
            Target::Module(path) => path != module && self.look_up_known(path, rest, seen, found),
            _ => false,
        })
    }
}
