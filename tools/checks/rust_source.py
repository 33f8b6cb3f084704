# SPDX-License-Identifier: GPL-2.0
"""Rust source, told apart: what is code, what is comment. Literals are neither."""

import re

TOKEN = re.compile(r"""
      (?P<line>//[^\n]*)
    | (?P<block>/\*)
    | \b(?:br|cr|r)(?P<hashes>\#*)".*?"(?P=hashes)      # a raw string
    | (?:\b[bc])?"(?:\\.|[^"\\])*"                      # a string
    | (?:\bb)?'(?:\\u\{[^}]*\}|\\x..|\\.|[^\\'\n])'     # a character; a lifetime is none
""", re.VERBOSE | re.DOTALL)
NESTED = re.compile(r"/\*|\*/")


def end_of_block(text, begin):
    """Where the comment that begins there ends. They nest."""
    depth = 0
    for mark in NESTED.finditer(text, begin):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def blank(text):
    """Spaces in place of the text, on as many lines."""
    return re.sub(r"[^\n]", " ", text)


def split(text):
    """Two texts as long as this one, with the rest blank: its code, its comments."""
    code, comments = [], []
    at = 0
    while at < len(text):
        token = TOKEN.search(text, at)
        begin = token.start() if token else len(text)
        code.append(text[at:begin])
        comments.append(blank(text[at:begin]))
        if not token:
            break
        at = end_of_block(text, begin) if token["block"] else token.end()
        literal = text[begin:at]
        code.append(blank(literal))
        comments.append(literal if token["block"] or token["line"] else blank(literal))
    return "".join(code), "".join(comments)
