"""The far end of `tendril repl` (twin: repl.ts): runs lines as Python's own prompt does, and sends what is printed as it is printed."""
from _tendril import _thread, extra, os, select, signal, sys, time
from _tendril.originals import own

codeop, keyword, pkgutil, re, traceback = [own(name) for name in ('codeop', 'keyword', 'pkgutil', 're', 'traceback')]
MAX_IN_FLIGHT = 4     # chunks of output that the terminal has not shown: what is left to show after an interrupt
MAX_COMPLETIONS = 500
DONE, MORE, FAILED, EXIT = 'done', 'more', 'failed', 'exit'


class Console(object):
    """Lines until they make a statement."""

    def __init__(self, worker, colors):
        self.worker, self.colors = worker, colors
        self.lines, self.count = [], 0
        self.compiler = codeop.CommandCompiler()
        self.failed = False

    def push(self, line):
        """Takes a line, runs what is complete; gives what came of it and the exit code, should it be one."""
        self.failed = False
        if self.is_new_statement(line):
            outcome = self.run(self.compile(self.lines + ['']))
            if outcome[0] == EXIT:
                return outcome
        self.lines.append(line)
        return self.try_to_run(self.lines)

    def finish(self):
        """No line follows: what there is must do."""
        self.failed = False
        if not self.lines:
            return [DONE, 0]
        outcome = self.try_to_run(self.lines + [''])
        if outcome[0] == MORE:
            return self.try_to_run(self.lines, compile)
        return outcome

    def reset(self):
        self.lines = []

    def is_new_statement(self, line):
        """Whether it stands at the margin behind a block that it does not go on with: what is pasted has no empty line there."""
        if not self.lines or not line.strip() or line[0].isspace():
            return False
        try:
            if self.compile(self.lines + ['']) is None:
                return False
        except Exception:
            return False
        try:
            self.compile(self.lines + [line])
        except Exception:
            return True
        return False

    def compile(self, lines, compiler=None):
        return (compiler or self.compiler)('\n'.join(lines), self.file(), 'single')

    def file(self):
        return '<python-input-%d>' % self.count

    def try_to_run(self, lines, compiler=None):
        try:
            code = self.compile(lines, compiler)
        except (SyntaxError, ValueError, OverflowError):
            self.tell_failure(''.join(traceback.format_exception_only(*sys.exc_info()[:2])))
            self.reset()
            return [FAILED, 1]
        return [MORE, 0] if code is None else self.run(code)

    def run(self, code):
        self.worker.texts[self.file()] = '\n'.join(self.lines) + '\n'
        self.count += 1
        self.reset()
        try:
            exec(code, sys.modules['__main__'].__dict__)
        except SystemExit as e:
            if self.worker.fd_in == -1:  # a forked child ends
                raise
            if e.code is None or isinstance(e.code, int):
                return [EXIT, e.code or 0]
            sys.stderr.write('%s\n' % (e.code,))
            return [EXIT, 1]
        except BaseException:
            text = self.worker.describe_failure()['traceback']
            self.tell_failure(text.encode('utf-8') if sys.version_info[0] == 2 else text)
        return [FAILED, 1] if self.failed else [DONE, 0]

    def tell_failure(self, text):
        self.failed = True
        sys.last_type, sys.last_value, sys.last_traceback = sys.exc_info()
        sys.stdout.flush()
        sys.stderr.write('\x1b[31m%s\x1b[0m' % text if self.colors else text)
        sys.stderr.flush()


class Screen(object):
    """What is printed, of C code and of child processes too, on its way."""

    def __init__(self, channel, is_one):
        self.channel, self.sent, self.shown = channel, 0, 0
        self.lock = _thread.allocate_lock()
        first = pipe_from(1)
        if is_one:  # both come by one pipe, so that they stay in order
            os.dup2(1, 2)
        self.streams = {first: 1} if is_one else {first: 1, pipe_from(2): 2}
        _thread.start_new_thread(self.forward, ())

    def forward(self):
        try:
            while True:
                select.select(list(self.streams), [], [])
                self.send_what_is_there()
        except (IOError, EOFError):
            pass  # the controller is gone

    def send_what_is_there(self):
        with self.lock:
            ready = select.select(list(self.streams), [], [], 0)[0]
            for fd in ready:
                self.channel.send([self.streams[fd], bytearray(os.read(fd, 65536))])
                self.sent += 1
                while self.sent - self.shown > MAX_IN_FLIGHT:
                    self.shown = self.channel.receive()
            return bool(ready)

    def settle(self):
        """Sends all that was printed until now; gives how many chunks there were ever."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:  # user code may have put anything in its place
                pass
        while self.send_what_is_there():
            pass
        return self.sent


def pipe_from(fd):
    read_end, write_end = os.pipe()
    os.dup2(write_end, fd)
    os.close(write_end)
    return read_end


def interrupt_children():
    """Sends SIGINT to what the prompt waits for, as a terminal does that has its process group in the foreground. A process that runs may start another one that no list has: they are all stopped before any of them is told. A child of `vfork`, whose parent waits in state D, is told once more behind its exec: before, it has that parent's handlers, and dash's do nothing then, in both."""
    ours, found = {}, {}
    try:
        for _ in range(100):  # a process that is amid a system call may take a while to stop
            found = started()
            for pid in set(found).difference(ours):
                ours[pid] = found[pid][0] not in AT_REST and tell(pid, signal.SIGSTOP)
            if not any(ours[pid] and found[pid][0] not in AT_REST for pid in found):
                break
    except (IOError, OSError, LookupError, ValueError):  # there is no /proc, or it is that of other processes
        if os.getpgrp() == os.getpid():
            extra('interrupting').last_signal = time.time()  # this one is not for the worker
            os.killpg(0, signal.SIGINT)
    borrowers = [pid for pid in found if found.get(found[pid][1], 'X')[0] == 'D' and is_to_exec(pid)]
    for pid, is_stopped in ours.items():
        tell(pid, signal.SIGINT)
        if is_stopped:
            tell(pid, signal.SIGCONT)
    for _ in range(500):  # 5 s
        for pid in [pid for pid in borrowers if not is_to_exec(pid)]:
            tell(pid, signal.SIGINT)
            borrowers.remove(pid)
        if not borrowers:
            break
        time.sleep(0.01)


def is_to_exec(pid):
    try:
        return bool(int(stat_of(pid)[6]) & PF_FORKNOEXEC)
    except (IOError, OSError):  # it has ended
        return False


PF_FORKNOEXEC = 0x40
AT_REST = 'TtZX'  # stopped, traced, and over: see proc(5)


def started():
    """The other processes of the worker's group, their states and their parents. Where that is not the worker's own, who has started the worker may be in it, too, so that only those count that descend from it."""
    me, group, found = os.getpid(), os.getpgrp(), {}
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            found[int(name)] = stat_of(name)
        except (IOError, OSError):  # it has ended
            pass
    if int(found[me][2]) != group:
        raise ValueError('that is not ours')
    return dict(
        (pid, (found[pid][0], int(found[pid][1])))
        for pid in found
        if pid != me and int(found[pid][2]) == group and (group == me or descends(pid, me, found))
    )


def stat_of(pid):
    """The state, the parent, the group, …, the flags of a process: proc(5) from the third on."""
    fd = os.open('/proc/%s/stat' % pid, os.O_RDONLY)
    try:
        return os.read(fd, 4096).rpartition(b')')[2].decode('ascii').split()[:7]
    finally:
        os.close(fd)


def descends(pid, ancestor, found):
    while pid in found and pid != ancestor:
        pid = int(found[pid][1])
    return pid == ancestor


def tell(pid, signum):
    """Whether that process could be told."""
    try:
        os.kill(pid, signum)
    except OSError:  # it has ended, or is another user's
        return False
    return True


def completions(line):
    """The words that could stand at the end of a line, and what of that end they replace."""
    word = re.search(r'[\w.]*$', line).group()
    if re.match(r'\s*(import|from)\s+\w*$', line):
        names = set(sys.builtin_module_names).union(module[1] for module in pkgutil.iter_modules())
    elif '.' in word:
        owner, _, word = word.rpartition('.')
        try:
            names = dir(eval(owner, sys.modules['__main__'].__dict__))
        except Exception:
            names = []
    else:
        builtins = sys.modules['__builtin__' if sys.version_info[0] == 2 else 'builtins']
        names = set(keyword.kwlist).union(sys.modules['__main__'].__dict__, dir(builtins))
    found = sorted(name for name in names if name.startswith(word) and (word.startswith('_') or not name.startswith('_')))
    return [found[:MAX_COMPLETIONS], word]


# What the controller asks for, whatever runs: each sends one item. What is typed is the user's, and is called.

def install(channel, output, is_one, colors):
    """Makes a module of what is called."""
    global console, screen
    sys.stdout.flush()
    sys.stderr.flush()
    console, screen = Console(channel.gateway, colors), Screen(output, is_one)
    module = sys.modules['_tendril_repl'] = type(sys)('_tendril_repl')
    module.push, module.finish = console.push, console.finish
    sys.ps1, sys.ps2 = '>>> ', '... '  # programs look for them to know that somebody is there
    channel.send(None)


def reset(channel):
    console.reset()
    channel.send(None)


def interrupt(channel):
    if os.name == 'posix':
        interrupt_children()
    channel.send(None)


def settle(channel):
    channel.send(screen.settle())


def complete(channel, line):
    channel.send(completions(line))
