-- Reads what is still with a node.
-- KEYS: state, taken
-- ARGV: epoch, the position after which, how many bytes
-- Returns the position up to which it was read ('' for all), and of each message its queue, its position, how
-- often it was delivered, and itself.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
local positions, found, bytes = {}, {}, tonumber(ARGV[3])
for _, position in ipairs(redis.call('HKEYS', KEYS[2])) do
  if tonumber(position) > tonumber(ARGV[2]) then
    positions[#positions + 1] = position
  end
end
table.sort(positions, function(one, other) return tonumber(one) < tonumber(other) end)
for index, position in ipairs(positions) do
  local queue = redis.call('HGET', KEYS[2], position)
  local message = redis.call('HGET', KEYS[1] .. ':queued:' .. queue, position)
  if message then
    found[#found + 1] = queue
    found[#found + 1] = position
    found[#found + 1] = redis.call('HGET', KEYS[1] .. ':deliveries:' .. queue, position) or '0'
    found[#found + 1] = message
    bytes = bytes - #message
  end
  if bytes <= 0 and index < #positions then
    return {position, found}
  end
end
return {'', found}
