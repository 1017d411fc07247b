"""Runs a program on a terminal of its own and acts like the person in front of it.

usage: terminal.py STEPS PROGRAM [ARG...]

STEPS is a JSON list, done one after the other:
  {"expect": TEXT}            wait until the program has printed it, counted from the last match
  {"send": TEXT}              type it
  {"resize": [ROWS, COLUMNS]} change the terminal
  {"signal": NUMBER}          send a signal to the program
  {"close": true}             hang up
Prints {"output", "code", "restored"} as JSON: restored says that the terminal was left as it was found.
"""
import fcntl, json, os, select, struct, sys, termios, time

WITHIN_S = 30
steps, argv = json.loads(sys.argv[1]), sys.argv[2:]
leader, follower = os.openpty()


def resize(rows, columns):
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))


resize(24, 80)
before = termios.tcgetattr(follower)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(follower, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(follower, fd)
    os.closerange(3, 64)
    os.execvp(argv[0], argv)

output, seen = b'', 0
deadline = time.monotonic() + WITHIN_S


def read_some():
    """Reads what there is; False once the program has ended and everything is read."""
    global output
    ready, _, _ = select.select([leader], [], [], 0.05)
    if ready:
        try:
            output += os.read(leader, 65536)
            return True
        except OSError:
            return False
    return not ended()


code = None


def ended():
    global code
    if code is None:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
    return code is not None


def fail(why):
    if not ended():
        os.kill(pid, 9)
    print(json.dumps({'failed': why, 'output': output.decode('utf8', 'replace'), 'code': code}))
    sys.exit(1)


hung_up = False
for step in steps:
    if 'expect' in step:
        wanted = step['expect'].encode()
        while (at := output.find(wanted, seen)) < 0:
            if not read_some() or time.monotonic() > deadline:
                fail('never saw ' + step['expect'])
        seen = at + len(wanted)
    elif 'send' in step:
        os.write(leader, step['send'].encode('latin1'))
    elif 'resize' in step:
        resize(*step['resize'])
    elif 'signal' in step:
        os.kill(pid, step['signal'])
    elif 'close' in step:
        hung_up = True
        os.close(follower)
        os.close(leader)
while not ended() and time.monotonic() < deadline:
    if hung_up:
        time.sleep(0.02)
    else:
        read_some()
if code is None:
    fail('did not end')
while not hung_up and select.select([leader], [], [], 0.05)[0]:
    output += os.read(leader, 65536)
restored = None if hung_up else termios.tcgetattr(follower) == before
print(json.dumps({'output': output.decode('utf8', 'replace'), 'code': code, 'restored': restored}))
