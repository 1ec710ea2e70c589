// Rooms of Socket.IO: `join` enters one, and `publish` sends to one. WebSocket alone, without compression.
import { createServer } from 'node:http'
import { Server } from 'socket.io'

const http = createServer()
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false })

io.on('connection', (socket) => {
    socket.on('join', async (room, joined) => {
        await socket.join(room)
        joined()
    })
    socket.on('publish', (room, body) => io.to(room).emit('message', body))
})

http.listen(0, '127.0.0.1', 65535, () => console.log(`listening ${http.address().port}`))
process.stdin.on('end', () => process.exit()).resume()
