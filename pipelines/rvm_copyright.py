"""Reads machine-readable copyright files of Debian packages (DEP-5): which licence, and whose copyright, a file of the source has."""
import re


def paragraphs(text):
    """The paragraphs as dictionaries, names of fields in lower case; None if the file is not in this format."""
    found, current, name = [], {}, None
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            found += [current] if current else []
            current, name = {}, None
        elif line[0] in " \t" and name:
            current[name] += "\n" + line.strip()
        elif field := re.match(r"([!-9;-~]+):(.*)", line):
            name = field.group(1).lower()
            current[name] = field.group(2).strip()
        elif line[0] != "#":
            return None
    return found if found and "copyright-format" in found[0].get("format", "") else None


def pattern(glob):
    """What a word of a field Files means: * is anything, slashes too; ? one character; a backslash makes the next one ordinary."""
    parts = re.findall(r"\\.|.", glob, re.S)
    return re.compile("".join({"*": ".*", "?": "."}.get(part) or re.escape(part[-1]) for part in parts), re.S)


class Copyright:
    """@paths are all the files that will be asked for, as they are called in the source."""

    def __init__(self, text, paths):
        self.files = [(paragraph["files"].split(), paragraph) for paragraph in paragraphs(text) or [] if "files" in paragraph]
        names = {path.rsplit("/", 1)[-1] for path in paths}
        literal = [word for words, _ in self.files for word in words if word.rsplit("/", 1)[-1] in names]
        # Files are named, but none where we expect it: the source is laid out otherwise, and a general pattern would say what is not so.
        if literal and not set(literal) & set(paths):
            self.files = []
        self.files = [([pattern(word) for word in words], paragraph) for words, paragraph in self.files]

    def of(self, path):
        """(licence, holders) of a file; the last paragraph that matches counts. None where that cannot be told."""
        for patterns, paragraph in reversed(self.files):
            if any(each.fullmatch(path) for each in patterns):
                licence = paragraph.get("license", "").split("\n")[0]
                holders = "; ".join(line for line in paragraph.get("copyright", "").split("\n") if line)
                return (licence, holders) if licence else None
        return None
