"""YAML as recipes are written in: plain values alone, no aliases, no key twice, and 5e-4 is a number."""

import re

import yaml


def read(text: str) -> object:
    """What a text says. Raises what PyYAML raises: `yaml.YAMLError`, of some tags and numbers also `ValueError`,
    `LookupError`, `AttributeError` or `OverflowError`, and `RecursionError` of what is nested without end."""
    return yaml.load(text, _Loader)


def write(content: object) -> str:
    """Content as text that `read` gives back."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses what silently means something else than it seems."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):  # nested aliases grow a kilobyte into gigabytes
            event = self.peek_event()
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not for recipes", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if key.value in seen:
                problem = f"key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that puts quotes around what `_Loader` would take for a number, and writes out what stands twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


# YAML 1.1 takes 5e-4, without a point, for text; people mean the number.
EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+0123456789"))
