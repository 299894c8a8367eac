-- What TPC-C's scripts share: how warehouses, customers and items are drawn, and names of three syllables.
local M = {}
local SYLLABLES = {[0] = "BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "EING"}
local random = sysbench.rand.uniform

-- NURand (clause 2.1.6), with the constant c that goes with `a`.
local function nurand(a, low, high, c)
   return (bit.bor(random(0, a), random(low, high)) + c) % (high - low + 1) + low
end

function M.warehouse(own) return random(1, own.scale) end

-- Another warehouse than `w`, where there is one.
function M.other(own, w)
   return own.scale == 1 and w or 1 + (w - 1 + random(1, own.scale - 1)) % own.scale
end

function M.district() return random(1, 10) end
function M.customer() return nurand(1023, 1, 3000, 259) end
function M.item() return nurand(8191, 1, 100000, 7911) end

-- A last name (clause 4.3.2.3): three syllables, one for each digit of a number from 0 to 999.
function M.last_name()
   local number = nurand(255, 0, 999, 223)
   return SYLLABLES[math.floor(number / 100)] .. SYLLABLES[math.floor(number / 10) % 10] .. SYLLABLES[number % 10]
end

-- A customer's number: 60 in 100 are named by last name, and the middle one of its bearers by first name is meant.
function M.customer_meant(db, w, d)
   if random(1, 100) > 60 then return M.customer() end
   local bearers = db:rows("SELECT c_id FROM customer WHERE c_w_id = ? AND c_d_id = ? AND c_last = ? " ..
                           "ORDER BY c_first, c_id", w, d, M.last_name())
   if #bearers == 0 then return M.customer() end
   return tonumber(bearers[math.floor((#bearers + 1) / 2)][1])
end

return M
