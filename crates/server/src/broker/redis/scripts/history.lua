-- Reads the newest messages of a topic, or of all topics that a pattern matches.
-- KEYS: state, topics
-- ARGV: epoch, destination, pattern of Lua ('' for a topic), the position after which ('' for none), how many
--       messages, how many bytes, what keys of streams begin with, how many topics are looked at
-- Returns the last position of all, the one after which nothing is missing, and of each message its
-- destination, its position, and itself. Some of them can be before what is missing.
local epoch, head, forgotten = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'head', 'forgotten'))
if epoch ~= ARGV[1] then
  return redis.error_reply('EPOCH another sequence has begun')
end
local after = ARGV[4]
if after == '' or tonumber(after) >= tonumber(head) then
  return {head, head, {}}
end
local messages, bytes, looks = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[8])
local found = {}

local function later(one, other)
  return tonumber(one) < tonumber(other) and other or one
end

-- Reads what a topic has after a position. Returns the position after which nothing of it is missing.
local function read(destination, floor, last)
  local upper, complete = '+', last
  while messages > 0 and bytes > 0 do
    local count = math.min(messages, 64)
    local entries = redis.call(
      'XREVRANGE', ARGV[7] .. destination, upper, '(' .. floor .. '-0', 'COUNT', count)
    for _, entry in ipairs(entries) do
      local position, fields = string.match(entry[1], '^%d+'), entry[2]
      -- One message is read in any case.
      if bytes < #fields[4] and #found > 0 then
        bytes = 0
        return complete
      end
      found[#found + 1] = destination
      found[#found + 1] = position
      found[#found + 1] = fields[4]
      messages, bytes, complete = messages - 1, bytes - #fields[4], fields[2]
      upper = '(' .. entry[1]
    end
    if #entries < count then
      return complete
    end
  end
  return complete
end

if ARGV[3] == '' then
  local last = redis.call('ZSCORE', KEYS[2], ARGV[2])
  if not last then
    -- It is not among the topics that are known, but its messages can be there.
    local newest = redis.call('XREVRANGE', ARGV[7] .. ARGV[2], '+', '-', 'COUNT', 1)[1]
    last = newest and string.match(newest[1], '^%d+') or forgotten
  end
  if tonumber(last) > tonumber(after) then
    after = later(after, read(ARGV[2], after, last))
  end
  return {head, after, found}
end

-- The topics with the newest messages come first. What is not looked at is missing.
after = later(after, forgotten)
local below = '+inf'
while true do
  local topics = redis.call(
    'ZREVRANGEBYSCORE', KEYS[2], below, '(' .. after, 'WITHSCORES', 'LIMIT', 0, 256)
  for index = 1, #topics, 2 do
    local destination, last = topics[index], topics[index + 1]
    looks = looks - 1
    if looks < 0 then
      return {head, later(after, last), found}
    end
    if tonumber(last) > tonumber(after) and string.find(destination .. '/', ARGV[3]) then
      after = later(after, read(destination, after, last))
    end
    below = '(' .. last
  end
  if #topics < 512 then
    return {head, after, found}
  end
end
