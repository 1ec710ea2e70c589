-- A node is alive, and looks whether its sequence is still the one and whether others are dead.
-- KEYS: state, alive, published, nodes
-- ARGV: epoch, how long the node can be away (ms), how long its last message is known (ms), the node,
--       the connection
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
local connection = redis.call('GET', KEYS[2])
if connection and connection ~= '' and connection ~= ARGV[5] then
  return redis.error_reply('AWAY the node has another connection')
end
redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[2])
redis.call('SADD', KEYS[4], ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
watch(KEYS[1], ARGV[2])
for _, node in ipairs(redis.call('SMEMBERS', KEYS[4])) do
  if redis.call('EXISTS', KEYS[1] .. ':alive:' .. node) == 0 then
    return_all(KEYS[1], ARGV[1], node)
  end
end
return 'OK'
