const socket = new SockJS('/ws');
const client = Stomp.over(socket);
client.connect({}, () => {
// Subscribe to order updates
client.subscribe('/topic/orders/42', (msg) => {
const update = JSON.parse(msg.body);
console.log('Order update:', update);
});
// Subscribe to personal queue
client.subscribe('/user/queue/order-updates', (msg) => {
const update = JSON.parse(msg.body);
updateUI(update);
});
// Send message to server
client.send('/app/orders/42/subscribe', {}, JSON.stringify({}));
});
