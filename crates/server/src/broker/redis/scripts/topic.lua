-- Drops messages of a topic that no answer has: those behind which there are as many bytes as one has. `size` is
-- that of the newest message. How many bytes there are is only counted from a mark on, and from there to the
-- next one nothing is dropped, so that most messages cost no more than the count.
local function drop(of_epoch, destination, position, size, limit)
  local sizes, marks = of_epoch .. 'sizes', of_epoch .. 'marks'
  if redis.call('HINCRBY', sizes, destination, size) < tonumber(limit) then
    return
  end
  local mark = redis.call('HGET', marks, destination)
  if mark then
    redis.call('XTRIM', of_epoch .. 'messages:' .. destination, 'MINID', mark)
  end
  redis.call('HSET', marks, destination, position)
  redis.call('HSET', sizes, destination, size)
end

-- Gives a message of a topic its position, and keeps it. `limits` are how many messages are kept, how long
-- (ms), how many topics are known, and how many bytes an answer has. If it fails, the message has no position.
local function keep(state, epoch, destination, message, limits)
  local of_epoch = state .. ':' .. epoch .. ':'
  local stream, topics = of_epoch .. 'messages:' .. destination, of_epoch .. 'topics'
  -- Positions are written as digits, because Lua would round them.
  local position = string.format('%.0f', redis.call('HINCRBY', state, 'head', 1))
  local before = redis.call('ZSCORE', topics, destination) or redis.call('HGET', state, 'forgotten')
  redis.call(
    'XADD', stream, 'MAXLEN', '~', limits[1], position .. '-0', 'before', before, 'message', message)
  redis.call('PEXPIRE', stream, limits[2])
  drop(of_epoch, destination, position, #message, limits[4])
  if redis.call('ZADD', topics, position, destination) == 1 then
    if redis.call('ZCARD', topics) > tonumber(limits[3]) then
      local forgotten, last = unpack(redis.call('ZPOPMIN', topics))
      redis.call('HSET', state, 'forgotten', last)
      redis.call('HDEL', of_epoch .. 'sizes', forgotten)
      redis.call('HDEL', of_epoch .. 'marks', forgotten)
    end
  end
  return position
end

