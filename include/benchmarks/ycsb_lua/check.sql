-- Each row is a sentence that says what is wrong.
SELECT concat('there are ', count(*), ' records, but at least ', 1000 * @scale, ' were loaded')
FROM usertable HAVING count(*) < 1000 * @scale;
