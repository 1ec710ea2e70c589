-- Reads what is still with a node.
-- KEYS: state, taken
-- ARGV: epoch, the position after which, how many bytes, how many messages
-- Returns the position up to which it was read ('' for all), and of each message its queue, its position, how
-- often it was delivered, and itself.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
local found, bytes, messages = {}, tonumber(ARGV[3]), tonumber(ARGV[4])
local members = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[2], '+inf', 'LIMIT', 0, messages)
for index, member in ipairs(members) do
  local position, queue = string.match(member, '^(%d+) (.*)$')
  local message = redis.call('HGET', KEYS[1] .. ':queued:' .. queue, position)
  if message then
    found[#found + 1] = queue
    found[#found + 1] = position
    found[#found + 1] = redis.call('HGET', KEYS[1] .. ':deliveries:' .. queue, position) or '0'
    found[#found + 1] = message
    bytes = bytes - #message
  end
  if bytes <= 0 or index == messages then
    return {position, found}
  end
end
return {'', found}
