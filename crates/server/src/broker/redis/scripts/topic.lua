-- Gives a message of a topic its position, and keeps it. `limits` are how many messages are kept, how long
-- (ms), and how many topics are known. If it fails, the message has no position.
local function keep(state, stream, topics, destination, message, limits)
  -- Positions are written as digits, because Lua would round them.
  local position = string.format('%.0f', redis.call('HINCRBY', state, 'head', 1))
  local before = redis.call('ZSCORE', topics, destination) or redis.call('HGET', state, 'forgotten')
  redis.call(
    'XADD', stream, 'MAXLEN', '~', limits[1], position .. '-0', 'before', before, 'message', message)
  redis.call('PEXPIRE', stream, limits[2])
  if redis.call('ZADD', topics, position, destination) == 1 then
    if redis.call('ZCARD', topics) > tonumber(limits[3]) then
      redis.call('HSET', state, 'forgotten', redis.call('ZPOPMIN', topics)[2])
    end
  end
  return position
end

