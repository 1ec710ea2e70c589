-- Reads who is in some presences.
-- KEYS: state
-- ARGV: epoch, how many bytes, what keys of members begin with, presences
-- Returns the last position of all, whether members are missing since there are too many, and those of each
-- presence. One can be there twice.
local epoch, head = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'head'))
if epoch ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
local bytes, is_partial, lists = tonumber(ARGV[2]), 0, {}
for index = 4, #ARGV do
  local list, key, cursor = {}, ARGV[3] .. ARGV[index], '0'
  -- Those of many are not all held at once, although it takes longer.
  local are_few = redis.call('HLEN', key) <= 10000
  repeat
    local found
    if are_few then
      found = redis.call('HKEYS', key)
    else
      cursor, found = unpack(redis.call('HSCAN', key, cursor, 'COUNT', 1000))
    end
    for field = 1, #found, are_few and 1 or 2 do
      -- Each also takes some bytes beside its name.
      bytes = bytes - #found[field] - 8
      if bytes < 0 then
        is_partial, cursor = 1, '0'
        break
      end
      list[#list + 1] = found[field]
    end
  until cursor == '0'
  lists[#lists + 1] = list
end
return {head, is_partial, lists}
