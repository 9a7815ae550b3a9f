"""`_tendril.encoded`: sources as `compile` takes them where they are not merely text (twin: source.ts).

A file that declares another encoding than UTF-8 (PEP 263) comes as its bytes: Python reads them as it reads the file, those in its
literals too. Text is text, whatever it declares: Python 3 knows, Python 2 is given UTF-8 with its mark, and no declaration against it.
"""
from _tendril import PY2, worker
from _tendril.originals import own

re = own('re')
FIRST_LINES = br'\A((?:[ \t\f]*(?:#[^\r\n]*)?(?:\r\n?|\n))?[ \t\f]*#[^\r\n]*?)coding(?=[:=])'
DECLARATION = re.compile(FIRST_LINES + br'[:=][ \t]*([-\w.]+)')
IN_TEXT = re.compile(FIRST_LINES)


def prepare(source, file):
    """What to compile; the text for tracebacks is kept."""
    if not isinstance(source, bytes):
        worker.texts[file] = source
        return encode(source)
    source = source.replace(b'\r\n', b'\n').replace(b'\r', b'\n')  # as Python does; PyPy when it is too late for the declaration
    declared = DECLARATION.match(source)
    try:
        worker.texts[file] = source.decode(declared.group(2).decode('ascii'))
    except (AttributeError, LookupError, UnicodeError):  # which `compile` will say
        worker.texts[file] = source.decode('latin-1')
    return source


def encode(text):
    """Text for `compile`: Python 2 refuses a declaration in what is text."""
    if not PY2:
        return text
    text = text.encode('utf-8')
    declared = IN_TEXT.match(text)  # `sub` would import
    return b'\xef\xbb\xbf' + (declared.group(1) + b'Coding' + text[declared.end():] if declared else text)


def undeclared(source, file):
    """A module's file for `compile` of Python 2, which takes what declares nothing for Latin-1: it is UTF-8, as all other sources are, or an error."""
    if DECLARATION.match(source) or source.startswith(b'\xef\xbb\xbf'):
        return source
    try:
        return encode(source.decode('utf-8'))
    except UnicodeDecodeError as e:
        line = source.count(b'\n', 0, e.start) + 1
        raise SyntaxError('byte 0x%02x is not UTF-8, and no encoding is declared' % ord(source[e.start]), (file, line, None, None))
