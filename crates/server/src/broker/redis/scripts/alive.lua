-- A node is alive, and looks whether its sequence is still the one and whether others are dead.
-- KEYS: state, alive, published, nodes
-- ARGV: epoch, how long the node can be away (ms), how long its last message is known (ms), the node
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
redis.call('SADD', KEYS[4], ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
for _, node in ipairs(redis.call('SMEMBERS', KEYS[4])) do
  if redis.call('EXISTS', KEYS[1] .. ':alive:' .. node) == 0 then
    return_all(KEYS[1], ARGV[1], node)
  end
end
return 'OK'
