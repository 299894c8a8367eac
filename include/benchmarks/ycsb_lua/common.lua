-- What YCSB's scripts share: which record is asked for, and its key. `zipf` is the exponent of the popularity.
local M = {}
local records, theta, zeta, alpha, eta, inserted

-- Gray et al., Quickly generating billion-record synthetic databases (SIGMOD 1994), as YCSB has it.
local function prepare(count, exponent)
   records, theta, zeta = count, exponent, 0
   for place = 1, count do zeta = zeta + 1 / place ^ theta end
   alpha = 1 / (1 - theta)
   eta = (1 - (2 / count) ^ (1 - theta)) / (1 - (1 + 0.5 ^ theta) / zeta)
end

-- A place by popularity, from 0 on.
function M.rank()
   local u = sysbench.rand.uniform_double()
   local uz = u * zeta
   if uz < 1 then return 0 end
   if uz < 1 + 0.5 ^ theta then return 1 end
   return math.min(records - 1, math.floor(records * (eta * u - eta + 1) ^ alpha))
end

-- A loaded record's number: the popular ones lie anywhere among the others.
function M.popular()
   return 1 + tonumber((M.rank() * 2654435761ULL + 42) % records)
end

function M.key(record)
   return string.format("user%010d", tonumber((record * 2654435761ULL) % 4294967296ULL))
end

-- 100 characters that do not compress well.
function M.value()
   return sysbench.rand.string(string.rep("@", 100))
end

-- The number of the next record of this client: clients take turns, so that no two take the same.
function M.next(own)
   inserted = inserted + own.clients
   return inserted
end

-- A record by its age: the newest are the most popular. It may not be there yet; then nothing is found.
function M.latest()
   return math.max(1, inserted - M.rank())
end

function M.begin(db, own)
   prepare(1000 * own.scale, own.zipf)
   inserted = tonumber((db:row("SELECT max(record) FROM usertable"))) + own.client + 1 - own.clients
end

return M
