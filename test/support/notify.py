"""
What a service manager is to those it starts: a datagram socket. Each message becomes one line of JSON in a file:
its text, the process it says it comes from, and how many descriptors came with it, which are closed at once.
usage: notify.py SOCKET FILE [MESSAGES]      SOCKET is a path, or @NAME; after MESSAGES nothing is read any more
"""
import array
import json
import os
import signal
import socket
import struct
import sys

address, path = sys.argv[1:3]
limit = int(sys.argv[3]) if len(sys.argv) > 3 else None
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind('\0' + address[1:] if address.startswith('@') else address)
with open(path, 'w', buffering=1) as out:
    print('ready', flush=True)
    count = 0
    while limit is None or count < limit:
        data, controls, _, _ = listener.recvmsg(65536, 4096)
        message = {'text': data.decode('utf8', 'backslashreplace'), 'descriptors': 0, 'pid': 0}
        for level, kind, content in controls:
            if kind == socket.SCM_RIGHTS:
                descriptors = array.array('i')
                descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
                message['descriptors'] = len(descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)
            elif kind == socket.SCM_CREDENTIALS:
                message['pid'] = struct.unpack('3i', content)[0]
        out.write(json.dumps(message) + '\n')
        count += 1
    signal.pause()
