-- Publishes a message, once, behind the one before it of the same node.
-- KEYS: state, published, and those of a topic: stream, topics; or those of a queue: queued, waiting
-- ARGV: epoch, number, number of the one before it ('' if that may be any), whether all before it are
--       answered, how long the node's last message is known (ms), destination, channel, message,
--       how many messages are kept, how long (ms), how many topics are known, how many bytes all queues can have,
--       how many a message takes beside its own, how many bytes an answer has
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
local number, destination, channel, message = ARGV[2], ARGV[6], ARGV[7], ARGV[8]
local last, position, refused =
  unpack(redis.call('HMGET', KEYS[2], 'number', 'position', 'refused:' .. number))
if refused then
  return redis.error_reply('FULL ' .. refused)
end
if last and tonumber(number) <= tonumber(last) then
  return number == last and position or false
end
-- Those behind one that has failed fail too, so that they keep their order.
if ARGV[3] ~= '' and ARGV[3] ~= last then
  return redis.error_reply('SKIPPED the message before this one was not published')
end
-- What was refused is known until the node has the answer.
if ARGV[4] == '1' and redis.call('HLEN', KEYS[2]) > (position and 2 or 1) then
  for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
    if string.sub(field, 1, 8) == 'refused:' then
      redis.call('HDEL', KEYS[2], field)
    end
  end
end
local is_queue = string.sub(destination, 1, 7) == '/queue/'
local reason
if is_queue then
  local bytes = redis.call('HGET', KEYS[1], 'queued') or '0'
  if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[9]) then
    reason = 'the queue has ' .. ARGV[9] .. ' messages already'
  elseif tonumber(bytes) + #message + ARGV[13] > tonumber(ARGV[12]) then
    reason = 'all queues have ' .. bytes .. ' bytes already, and at most ' .. ARGV[12] .. ' are allowed'
  end
end
if reason then
  redis.call('HSET', KEYS[2], 'number', number, 'refused:' .. number, reason)
  redis.call('HDEL', KEYS[2], 'position')
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
  return redis.error_reply('FULL ' .. reason)
end

local told
if is_queue then
  position = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'head', 1))
  redis.call('HSET', KEYS[3], position, message)
  redis.call('HINCRBY', KEYS[1], 'queued', #message + ARGV[13])
  -- Who has asked for messages has found none.
  told = redis.call('EXISTS', KEYS[4]) == 0 and ''
  redis.call('ZADD', KEYS[4], position, position)
else
  local limits = {ARGV[9], ARGV[10], ARGV[11], ARGV[14]}
  position = keep(KEYS[1], ARGV[1], destination, message, limits)
  told = position .. ' ' .. message
end
-- If a command above has failed, the message counts as not published.
redis.call('HSET', KEYS[2], 'number', number, 'position', position)
if not last then
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
if told then
  redis.call('PUBLISH', channel, told)
end
return position
