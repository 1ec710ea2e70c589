// A proxy for TCP whose connections can be cut, and which can lead elsewhere.

import net from 'node:net';

export async function startProxy(port) {
  const sockets = new Set();
  const proxy = { port, accepted: 0, isDown: false };
  const server = net.createServer((client) => {
    if (proxy.isDown) return client.destroy();
    proxy.accepted += 1;
    const upstream = net.connect(proxy.port, '127.0.0.1');
    for (const [socket, other] of [[client, upstream], [upstream, client]]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket) && other.destroy());
      socket.pipe(other);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  proxy.websocket = proxy.url.replace(/^http/, 'ws') + '/ws';
  /// Resets all connections.
  proxy.cut = () => sockets.forEach((socket) => socket.resetAndDestroy());
  /// Passes nothing on any more, and says so to nobody.
  proxy.hold = () => sockets.forEach((socket) => socket.unpipe() && socket.pause());
  proxy.end = () => {
    proxy.cut();
    server.close();
  };
  return proxy;
}
