"""`_tendril.shelf`: what the controller provides, as far as it is known and has come here (docs/elastic.md; twin: provider.ts beside it).

News (names, what has changed) come as pushed sources, which keep their place ahead of the code that is sent behind them. Modules
and files come over a channel, when they are asked for or ahead of that.
"""
from _tendril import EXEC, PUSH, PY2, Mailbox, Unlocked, Worker, _thread, loads, struct, sys, worker, zlib
from _tendril.channel import ENDED
from _tendril.handles import channel_with
from _tendril.inbox import Inbox, divert
from _tendril.originals import own

_codecs = own('_codecs')
NEWS = '_tendril.elastic.%d'
MODULE, PACKAGE, FOLDER = 0, 1, 2
KEEP_BYTES = 1 << 20  # a larger data file is asked for again when it is read again


def native(text):
    """Names and paths as this Python has them."""
    return text.encode('utf-8') if PY2 and not isinstance(text, bytes) else text


class Answers(Inbox):
    """The items of the channel; whoever waits for one of them is told of each."""

    def __init__(self):
        Inbox.__init__(self, self.keep)

    def keep(self, entry):
        self.items.append(entry)
        for mailbox in list(shelf.waiting.values()):
            mailbox.put(None)

    def end(self):
        self.keep(ENDED)


class Shelf(object):
    def __init__(self):
        self.lock = _thread.allocate_lock()
        self.unpacking = _thread.allocate_lock()
        self.news = 0        # how many have been taken
        self.applied_by = None  # the thread that takes some just now
        self.channel = None
        self.roots = []      # what errors say was searched
        self.tops = {}       # top-level names, and the root of each
        self.indexed = set()  # those of which all names are known
        self.kinds = {}      # module names: MODULE, PACKAGE, the folders of a namespace package, or why it cannot be had
        self.bases = {}      # the folder that a module's name counts from
        self.packages = {}   # package folders, and the names of their packages
        self.sources = {}    # of modules that have come
        self.changed = {}    # those that have changed, and the number of the news that said so
        self.coming = set()  # what is on its way: names of modules, paths of files
        self.dropping = set()  # top-level names that have changed, while an import of theirs has not ended
        self.searched = []   # top-level names that a thread is looking for just now
        self.failed = {}     # why a module that was asked for has not come
        self.listings = {}   # top-level names: paths of all files there are
        self.files = {}      # contents of files that have come, or the error instead
        self.waiting, self.answered, self.asked = {}, set(), 0
        self.ahead = []      # answers that come unasked

    # News. The reading thread may take them: nothing here waits or imports.

    def catch_up(self):
        while NEWS % (self.news + 1) in worker.sources and self.applied_by != _thread.get_ident():  # which imports a codec
            with self.lock:
                self.applied_by = _thread.get_ident()
                try:
                    self.take_news(NEWS % (self.news + 1))
                finally:
                    self.applied_by = None

    def take_news(self, name):
        """They are there until they have been applied: who sees them waits for that."""
        row = worker.sources.get(name)
        if row is not None:
            self.apply(loads(row['source'].encode('latin-1')), self.news + 1)
            self.news += 1
            del worker.sources[name]

    def apply(self, news, number):
        if self.channel is None:
            self.channel = channel_with(news['channel'])
            divert(self.channel, Answers())
        self.roots = [native(root) for root in news['roots']]
        self.tops = dict((native(name), native(root)) for name, root in news['tops'].items())
        self.ahead.extend(news['ahead'])
        for top in news['stale']:
            self.unindex(native(top))
        for name in news['changed']:
            self.sources.pop(native(name), None)
            self.changed[native(name)] = number
        self.dropping.update(native(top) for top in news['dropped'])
        self.drop()

    def unindex(self, top):
        """Its names, and what files there are, are asked for again."""
        self.indexed.discard(top)
        self.listings.pop(top, None)
        for name in [name for name in self.kinds if name == top or name.startswith(top + '.')]:
            del self.kinds[name]
        for path in [path for path, package in self.packages.items() if package == top or package.startswith(top + '.')]:
            del self.packages[path]
        self.files.clear()

    def drop(self):
        """Has packages that have changed imported anew, as a whole: who holds the old one has all of it. Not amid an import of theirs."""
        names = [name for name, module in list(sys.modules.items())
                 if name.partition('.')[0] in self.dropping and hasattr(getattr(module, '__loader__', None), 'is_provided')]
        if not self.dropping.intersection(self.searched) and not any(is_loading(sys.modules.get(name)) for name in names):
            self.dropping.clear()
            for name in names:
                sys.modules.pop(name, None)

    # Answers.

    def ask(self, **request):
        """Asks the controller, and waits for the answer."""
        with self.lock:
            self.asked += 1
            request['id'] = self.asked
        try:
            self.channel.send(request)
        except IOError as e:
            raise ImportError('cannot ask the controller: %s' % e)
        self.wait(lambda: request['id'] in self.answered)
        self.answered.discard(request['id'])

    def await_ahead(self):
        """Waits for the beginning of what is on its way unasked: it says what is coming."""
        for number in list(self.ahead):
            self.wait(lambda: number in self.answered)
            if number in self.ahead:
                self.ahead.remove(number)

    def wait(self, is_over):
        mailbox = Mailbox()
        self.waiting[id(mailbox)] = mailbox
        try:
            with Unlocked():
                while True:
                    self.unpack()
                    if is_over():
                        return
                    if ENDED in self.channel.items.items:
                        raise ImportError('the controller went away before it had sent what was asked for')
                    worker.wait(mailbox)
        finally:
            del self.waiting[id(mailbox)]

    def unpack(self):
        """Takes what has come. An item is let go of when all of it has been taken, so that an interrupt loses nothing."""
        items = self.channel.items.items
        with self.unpacking:
            while items and items[0] is not ENDED:
                payload, cost = items[0][:2]
                self.take(zlib.decompress(items[0][2] if payload is None else loads(payload)))
                items.popleft()
                if cost - self.channel.returned >= worker.window // 4:
                    self.channel.give_back(cost)

    def take(self, answer):
        """A head of names and sizes, and behind it the contents of modules and files, end to end."""
        at = 4 + struct.unpack_from('>I', answer)[0]
        head = loads(answer[4:at])
        for top, portions in head.get('indexes', {}).items():
            self.add_index(native(top), portions)
        for name, text in head.get('failed', {}).items():
            self.failed[native(name)] = native(text)
        for top, listing in head.get('listings', {}).items():
            self.listings[native(top)] = set(native(path) for path in listing)
        self.coming.update(native(name) for name in head.get('coming', ()))
        for contents, sizes in ((self.sources, head['modules']), (self.files, head['files'])):
            for name, size in sizes:
                name = native(name)
                if not isinstance(size, int):
                    contents[name] = IOError(2, native(size), name)
                else:
                    at += size
                    if self.changed.get(name, 0) <= (head.get('news') or self.news):
                        contents[name] = answer[at - size:at]
                self.coming.discard(name)
        if 'id' in head:
            self.answered.add(head['id'])

    def add_index(self, top, portions):
        self.indexed.add(top)
        for base, names in portions:
            base = native(base)
            for name, kind in names.items():
                name = native(name)
                folder = base + '/' + name.replace('.', '/')
                if kind == FOLDER:
                    self.kinds.setdefault(name, []).append(folder)
                else:
                    self.kinds[name], self.bases[name] = (kind if isinstance(kind, int) else native(kind)), base
                if kind in (PACKAGE, FOLDER):
                    self.packages[folder] = name
                    sys.path_importer_cache.pop(folder, None)

    def lacks(self, name, top):
        """Whether a module is to be asked for, or nobody knows yet."""
        return top not in self.indexed or self.kinds.get(name) in (MODULE, PACKAGE) and name not in self.sources

    # What the loaders ask for.

    def file_of(self, name):
        path = self.bases[name] + '/' + name.replace('.', '/')
        return path + ('/__init__.py' if self.kinds[name] == PACKAGE else '.py')

    def data(self, top, path):
        """The bytes of a file that lies in a top-level package. Raises IOError, as a file that is not there does."""
        self.await_ahead()
        self.wait(lambda: path not in self.coming)
        if path not in self.files:
            self.ask(top=top, file=path)
            self.wait(lambda: path not in self.coming)
        data = self.files[path]
        if not isinstance(data, bytes) or len(data) > KEEP_BYTES:
            self.files.pop(path, None)
        if not isinstance(data, bytes):
            raise data
        return data

    def listing(self, top):
        """The paths of all files of a top-level package."""
        if top not in self.listings:
            self.ask(top=top, file=None)
        return self.listings.get(top, ())


def is_loading(module):
    return getattr(getattr(module, '__spec__', None), '_initializing', False) or getattr(module, '__loading__', False)


def on_push(self, channel_id, payload, base=Worker.on_push):
    base(self, channel_id, payload)
    shelf.catch_up()


def on_exec(self, channel_id, payload, base=Worker.on_exec):
    if shelf.dropping:
        shelf.drop()
    base(self, channel_id, payload)


shelf = Shelf()
_codecs.lookup('latin-1')  # Python 2 and PyPy import it, and would wait for the import lock when they first need it, amid locks of ours
Worker.FRAMES.update({PUSH: on_push, EXEC: on_exec})
