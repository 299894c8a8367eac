-- Stock-Level (clause 2.8): how many items of a district's last twenty orders are short.
return function(db, own)
   local w, d, least = own.common.warehouse(own), own.common.district(), sysbench.rand.uniform(10, 20)
   db:run("BEGIN")
   local o = tonumber((db:row("SELECT d_next_o_id FROM district WHERE d_w_id = ? AND d_id = ?", w, d)))
   db:row("SELECT count(DISTINCT s_i_id) FROM order_line JOIN stock ON s_w_id = ol_w_id AND s_i_id = ol_i_id " ..
          "WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id >= ? AND ol_o_id < ? AND s_quantity < ?", w, d, o - 20, o, least)
   db:run("COMMIT")
end
