-- A member is not in a topic at a node any more.
-- KEYS: state, alive
-- ARGV: epoch, connection of the node, node, presence, member, how many messages are kept, how long (ms), how
--       many topics are known, how many bytes an answer has
-- Returns the position of the message that the member has gone, if it is nowhere now.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
local connection = redis.call('GET', KEYS[2])
if connection and connection ~= '' and connection ~= ARGV[2] then
  return redis.error_reply('AWAY the node has another connection')
end
local entered = ARGV[4] .. '\n' .. ARGV[5]
return leave(KEYS[1], ARGV[1], ARGV[3], entered, {ARGV[6], ARGV[7], ARGV[8], ARGV[9]})
