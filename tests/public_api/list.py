"""Lists the public API of a crate, a line each, from the JSON that rustdoc writes.

Each line has the path of an item and its signature. Of implementations it lists those that the crate
writes, and the auto traits that a type lacks.
"""

import json
import sys

AUTO_TRAITS = ("Send", "Sync", "Unpin")


def main(path):
    with open(path, encoding="utf-8") as file:
        crate = json.load(file)
    listing = Listing(crate["index"])
    lines = [*listing.of_module(crate["root"], "sansocket"), *listing.of_foreign_types()]
    print("\n".join(sorted(set(lines), key=place)))


def place(line):
    """By path; implementations come last."""
    return line.startswith("impl"), line[line.find("sansocket::") :], line


class Listing:
    def __init__(self, index):
        self.index = index

    def item(self, id):
        return self.index[str(id)]

    def of_foreign_types(self):
        """What the crate implements its own traits for."""
        traits = (item for item in self.index.values() if "trait" in item["inner"])
        for trait in traits:
            for id in trait["inner"]["trait"]["implementations"]:
                impl = self.index.get(str(id))
                if trait["visibility"] == "public" and impl and impl["crate_id"] == 0:
                    yield from self.of_impl(impl["inner"]["impl"], trait["name"])

    def of_module(self, id, path):
        for child in self.item(id)["inner"]["module"]["items"]:
            yield from self.of_item(child, path)

    def of_item(self, id, parent):
        item = self.index.get(str(id))
        if item is None or item["visibility"] != "public":
            return
        ((kind, inner),) = item["inner"].items()
        path = f"{parent}::{item['name']}"
        if kind == "module":
            yield f"mod {path}"
            yield from self.of_module(id, path)
        elif kind == "use":
            yield from self.of_use(inner, parent)
        elif kind == "function":
            yield f"{function(item['name'], inner, path)}"
        elif kind in ("struct", "enum", "union"):
            yield from self.of_type(item, kind, inner, path)
        elif kind == "trait":
            yield from self.of_trait(item, inner, path)
        elif kind == "type_alias":
            yield f"type {path}{generics(inner['generics'])} = {type_(inner['type'])}"
        elif kind == "constant":
            yield f"const {path}: {type_(inner['type'])}"
        else:
            yield f"{kind} {path}"

    def of_use(self, use, parent):
        target = self.index.get(str(use["id"]))
        if use["is_glob"]:
            yield from self.of_module(use["id"], parent)
        elif target is None:
            yield f"use {parent}::{use['name']} = {use['source']}"
        else:
            # An item is listed wherever it can be named.
            yield from self.of_item(use["id"], parent)

    def of_type(self, item, kind, inner, path):
        mark = "#[non_exhaustive] " if is_non_exhaustive(item) else ""
        yield f"{mark}{kind} {path}{generics(inner['generics'])}"
        if kind == "enum":
            for id in inner["variants"]:
                yield from self.of_variant(self.item(id), path)
        else:
            yield from self.of_fields(inner["kind"], path)
        for id in inner["impls"]:
            yield from self.of_impl(self.item(id)["inner"]["impl"], path)

    def of_fields(self, kind, path):
        ids = []
        if isinstance(kind, dict):
            ids = kind["plain"]["fields"] if "plain" in kind else kind.get("tuple", [])
        for id in ids:
            field = self.index.get(str(id)) if id is not None else None
            if field and field["visibility"] in ("public", "default"):
                yield f"field {path}::{field['name']}: {type_(field['inner']['struct_field'])}"

    def of_variant(self, variant, path):
        kind = variant["inner"]["variant"]["kind"]
        mark = "#[non_exhaustive] " if is_non_exhaustive(variant) else ""
        yield f"{mark}variant {path}::{variant['name']}"
        if isinstance(kind, dict):
            fields = kind["struct"]["fields"] if "struct" in kind else kind.get("tuple", [])
            yield from self.of_fields({"tuple": fields}, f"{path}::{variant['name']}")

    def of_trait(self, item, inner, path):
        bounds = bounds_(inner["bounds"])
        yield f"trait {path}{generics(inner['generics'])}{': ' + bounds if bounds else ''}"
        for id in inner["items"]:
            member = self.item(id)
            ((kind, body),) = member["inner"].items()
            name = f"{path}::{member['name']}"
            if kind == "function":
                given = " { .. }" if body["has_body"] else ""
                yield f"{function(member['name'], body, name)}{given}"
            elif kind == "assoc_type":
                limits = bounds_(body["bounds"])
                yield f"type {name}{': ' + limits if limits else ''}"
            else:
                yield f"const {name}: {type_(body['type'])}"

    def of_impl(self, impl, path):
        trait = impl["trait"]
        if trait is None:
            for id in impl["items"]:
                yield from self.of_member(self.item(id), path)
        elif impl["is_synthetic"]:
            if impl["is_negative"] and trait["path"] in AUTO_TRAITS:
                yield f"impl !{trait['path']} for {path}"
        elif impl["blanket_impl"] is None and not trait["path"].startswith("Structural"):
            where = where_(impl["generics"]["where_predicates"])
            yield f"impl{generics(impl['generics'])} {path_(trait)} for {type_(impl['for'])}{where}"

    def of_member(self, member, path):
        if member["visibility"] != "public":
            return
        ((kind, body),) = member["inner"].items()
        name = f"{path}::{member['name']}"
        if kind == "function":
            yield function(member["name"], body, name)
        elif kind == "assoc_const":
            yield f"const {name}: {type_(body['type'])}"
        else:
            yield f"{kind} {name}"


def is_non_exhaustive(item):
    return "non_exhaustive" in json.dumps(item["attrs"])


def function(_name, inner, path):
    header = inner["header"]
    words = [word for word in ("const", "async", "unsafe") if header[f"is_{word}"]]
    signature = inner["sig"]
    inputs = ", ".join(argument(name, kind) for name, kind in signature["inputs"])
    output = signature["output"]
    answer = f" -> {type_(output)}" if output else ""
    where = where_(inner["generics"]["where_predicates"])
    return " ".join([*words, "fn", f"{path}{generics(inner['generics'])}({inputs}){answer}{where}"])


def argument(name, kind):
    text = type_(kind)
    if name == "self":
        return {"Self": "self", "&Self": "&self", "&mut Self": "&mut self"}.get(text, f"self: {text}")
    return f"{name}: {text}"


def generics(given):
    parameters = []
    for parameter in given["params"]:
        ((kind, body),) = parameter["kind"].items()
        if kind == "type" and body["is_synthetic"]:
            continue
        text = parameter["name"]
        if kind == "lifetime":
            text += "".join(f": {outlived}" for outlived in body["outlives"])
        elif kind == "type":
            text += f": {bounds_(body['bounds'])}" if body["bounds"] else ""
            text += f" = {type_(body['default'])}" if body["default"] else ""
        else:
            text = f"const {text}: {type_(body['type'])}"
        parameters.append(text)
    return f"<{', '.join(parameters)}>" if parameters else ""


def where_(predicates):
    texts = []
    for predicate in predicates:
        ((kind, body),) = predicate.items()
        if kind == "bound_predicate":
            texts.append(f"{type_(body['type'])}: {bounds_(body['bounds'])}")
        elif kind == "lifetime_predicate":
            texts.append(f"{body['lifetime']}: {' + '.join(body['outlives'])}")
        else:
            texts.append(json.dumps(predicate))
    return f" where {', '.join(texts)}" if texts else ""


def bounds_(bounds):
    texts = []
    for bound in bounds:
        ((kind, body),) = bound.items()
        if kind == "trait_bound":
            prefix = {"none": "", "maybe": "?"}.get(body["modifier"], f"{body['modifier']} ")
            binder = generics({"params": body["generic_params"]})
            texts.append(f"{prefix}{'for' + binder + ' ' if binder else ''}{path_(body['trait'])}")
        elif kind == "outlives":
            texts.append(body)
        else:
            texts.append(json.dumps(bound))
    return " + ".join(texts)


def path_(path):
    name = path.get("path") or path.get("name")
    return name + arguments(path["args"])


def arguments(args):
    if not args:
        return ""
    if "parenthesized" in args:
        body = args["parenthesized"]
        output = f" -> {type_(body['output'])}" if body["output"] else ""
        return f"({', '.join(map(type_, body['inputs']))}){output}"
    body = args.get("angle_bracketed")
    if body is None:
        return json.dumps(args)
    texts = []
    for arg in body["args"]:
        if isinstance(arg, str):
            texts.append("_")
            continue
        ((kind, value),) = arg.items()
        if kind == "type":
            value = type_(value)
        elif kind == "const":
            value = value["expr"]
        texts.append(value)
    for constraint in body["constraints"]:
        ((kind, value),) = constraint["binding"].items()
        if kind == "equality":
            texts.append(f"{constraint['name']} = {type_(value['type'])}")
        else:
            texts.append(f"{constraint['name']}: {bounds_(value)}")
    return f"<{', '.join(texts)}>" if texts else ""


def type_(node):
    if isinstance(node, str):
        return node
    ((kind, body),) = node.items()
    if kind == "resolved_path":
        return path_(body)
    if kind in ("generic", "primitive"):
        return body
    if kind == "borrowed_ref":
        lifetime = f"{body['lifetime']} " if body["lifetime"] else ""
        return f"&{lifetime}{'mut ' if body['is_mutable'] else ''}{type_(body['type'])}"
    if kind == "tuple":
        return f"({', '.join(map(type_, body))}{',' if len(body) == 1 else ''})"
    if kind == "slice":
        return f"[{type_(body)}]"
    if kind == "array":
        return f"[{type_(body['type'])}; {body['len']}]"
    if kind == "impl_trait":
        return f"impl {bounds_(body)}"
    if kind == "dyn_trait":
        traits = [path_(each["trait"]) for each in body["traits"]]
        return f"dyn {' + '.join(traits + ([body['lifetime']] if body['lifetime'] else []))}"
    if kind == "qualified_path":
        # A type of a trait that a parameter implements, as in `M::Tcp`, has a trait without a name.
        if not body.get("trait") or not body["trait"].get("path"):
            return f"{type_(body['self_type'])}::{body['name']}{arguments(body['args'])}"
        trait = f" as {path_(body['trait'])}"
        return f"<{type_(body['self_type'])}{trait}>::{body['name']}{arguments(body['args'])}"
    if kind == "function_pointer":
        signature = body["sig"]
        output = f" -> {type_(signature['output'])}" if signature["output"] else ""
        return f"fn({', '.join(type_(kind) for _, kind in signature['inputs'])}){output}"
    if kind == "raw_pointer":
        return f"*{'mut' if body['is_mutable'] else 'const'} {type_(body['type'])}"
    return json.dumps(node)


if __name__ == "__main__":
    main(sys.argv[1])
