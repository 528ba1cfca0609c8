// Thresholds found by halving, with one comparator and one memory of keys per lane, which take the steps in turn: for values that come
// STEPS * PACE cycles apart or more. PACE is 2, or 3 where memories are LATE: a register stands behind them. The last step's outcome is
// there PACE * (STEPS - 1) + 2 cycles after the value, its result one later, two where it comes from a late TABLE.
//
// The keys of a row are a tree, STEPS levels deep: number 1 is the first that is compared, behind number n come 2n, if it is not reached,
// and 2n + 1. The number of keys reached, the path, gives BASE + STEP * path or, with TABLE, an entry of a memory. Every lane has memories
// of its own: FILE, the lane's number in four digits, ".hex": the keys [ROWS << STEPS], addressed by row and number (number 0 is
// not read for a comparison); with "_results.hex" instead the results [ROWS << STEPS], by row and path.
module flowc_serial #(
    parameter int LANES = 1,
    parameter int ROWS = 1,
    parameter int VALUE = 8,
    parameter int OUT_BITS = 2,
    parameter FILE = "",
    parameter bit [95:0] STYLE = "logic",
    parameter bit LATE = 0,
    parameter int STEPS = 2,
    parameter int BITS = 8,
    parameter bit TABLE = 0,
    parameter int BASE = 0,
    parameter int STEP = 1
) (
    input logic clk,
    input logic rst,
    input logic enable,
    input logic [LANES*VALUE-1:0] values,
    input logic valid,
    output logic [LANES*OUT_BITS-1:0] results,
    output logic results_valid
);
  localparam int PACE = LATE ? 3 : 2;
  localparam int LAST = PACE * (STEPS - 1);
  localparam int CYCLES = LAST + 3 + (TABLE && LATE ? 1 : 0);
  localparam int RW = ROWS > 1 ? $clog2(ROWS) : 1;
  localparam int AW = $clog2(ROWS << STEPS);
  // marks[t]: a value came t + 1 cycles ago. Step k compares at t = k * PACE.
  function automatic bit [CYCLES-1:0] steps();
    steps = '0;
    for (int k = 0; k < STEPS; k++) steps[k*PACE] = 1'b1;
  endfunction
  logic [CYCLES-1:0] marks;
  always_ff @(posedge clk)
    if (rst) marks <= '0;
    else if (enable) marks <= {marks[CYCLES-2:0], valid};
  assign results_valid = marks[CYCLES-1];
  wire compares = |(marks & steps());
  wire ends = marks[LAST];

  // After the last step the next row's first key is read, before its value comes.
  logic [RW-1:0] row, row_before;
  logic last_row;
  flowc_count #(.COUNT(ROWS)) rows (.clk, .rst, .step(enable && ends), .value(row), .last(last_row));
  always_ff @(posedge clk) if (enable) row_before <= row;
  wire unused = &{1'b0, last_row, row_before};

  for (genvar l = 0; l < LANES; l++) begin : g_lane
    logic signed [VALUE-1:0] value;
    logic signed [BITS-1:0] word, key;
    logic [STEPS-1:0] number, path;
    logic [AW-1:0] at;
    logic reached;
    flowc_at_least #(.A_BITS(VALUE), .B_BITS(BITS)) compare (.a(value), .b(key), .found(reached));
    assign at = AW'({row, number});
    flowc_rom #(
        .WIDTH(BITS), .DEPTH(ROWS << STEPS), .STYLE(STYLE),
        .FILE({FILE, 8'(48 + l / 1000), 8'(48 + l / 100 % 10), 8'(48 + l / 10 % 10), 8'(48 + l % 10), ".hex"})
    ) keys (.clk, .read(enable), .read_at(at), .out_data(word));
    if (LATE) begin : g_key
      always_ff @(posedge clk) if (enable) key <= word;
    end else begin : g_word
      assign key = word;
    end
    always_ff @(posedge clk) if (enable && valid) value <= values[l*VALUE+:VALUE];
    always_ff @(posedge clk)
      if (rst) number <= STEPS'(1);
      else if (enable && compares) number <= ends ? STEPS'(1) : STEPS'({number, reached});
    always_ff @(posedge clk) if (enable && ends) path <= STEPS'({number, reached});

    logic [OUT_BITS-1:0] result;
    if (TABLE) begin : g_table
      logic [OUT_BITS-1:0] entry;
      logic [AW-1:0] found;
      assign found = AW'({row_before, path});
      flowc_rom #(
          .WIDTH(OUT_BITS), .DEPTH(ROWS << STEPS), .STYLE(STYLE),
          .FILE({FILE, 8'(48 + l / 1000), 8'(48 + l / 100 % 10), 8'(48 + l / 10 % 10), 8'(48 + l % 10), "_results.hex"})
      ) entries (.clk, .read(enable), .read_at(found), .out_data(entry));
      if (LATE) begin : g_later
        always_ff @(posedge clk) if (enable) result <= entry;
      end else begin : g_now
        assign result = entry;
      end
    end else begin : g_count
      always_ff @(posedge clk) if (enable) result <= OUT_BITS'(BASE + STEP * int'(path));
    end
    assign results[l*OUT_BITS+:OUT_BITS] = result;
  end
endmodule
