"""The front matter of a README.md, and what the loopback Hub finds wrong with it."""

import re

import yaml

MATTER = re.compile(r"^\s*---[ \t]*\r?\n(.*?)\r?\n?---[ \t]*(?:\r?\n|$)", re.DOTALL)
TEXTS = ("license", "pretty_name", "license_name", "license_link", "viewer")
LISTS = ("language", "tags", "task_categories", "task_ids", "size_categories", "source_datasets")
NO_MATTER = "empty or missing yaml metadata in repo card"


def front_matter(text: str) -> object:
    """Parse what stands between the first two lines of `---`: None where nothing does.

    A text is what the parser says is wrong.
    """
    found = MATTER.match(text)
    try:
        return yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError as error:
        return f"not readable as YAML: {error}"


def wrongs(text: str) -> list[str]:
    """Say what is wrong with the front matter of a dataset's README.md."""
    matter = front_matter(text)
    if matter is None:
        return []
    if not isinstance(matter, dict):
        return [matter if isinstance(matter, str) else "the metadata must be an object"]
    found = []
    for name in TEXTS:
        value = matter.get(name)
        if not isinstance(value, str | bool | None) and not (name == "license" and _texts(value)):
            found.append(f'"{name}" must be a string')
    found += [
        f'"{name}" must be an array of strings'
        for name in LISTS
        if not isinstance(matter.get(name), str | None) and not _texts(matter[name])
    ]
    return found + _wrong_configs(matter.get("configs"))


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _wrong_configs(configs: object) -> list[str]:
    if configs is None:
        return []
    if not isinstance(configs, list):
        return ['"configs" must be an array']
    found = []
    for place, each in enumerate(configs):
        if not isinstance(each, dict) or not isinstance(each.get("config_name"), str):
            found.append(f'"configs[{place}].config_name" must be a string')
            continue
        files = each.get("data_files", [])
        for split in files if isinstance(files, list) else []:
            known = isinstance(split, dict) and isinstance(split.get("split"), str)
            if not isinstance(split, str) and not (known and "path" in split):
                found.append(f'"configs[{place}].data_files" must have split and path')
    return found
