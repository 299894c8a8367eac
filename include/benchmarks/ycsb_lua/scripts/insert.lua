return function(db, own)
   local common = own.common
   local record, value = common.next(own), common.value
   db:run("INSERT INTO usertable VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", common.key(record), record, value(),
          value(), value(), value(), value(), value(), value(), value(), value(), value())
end
