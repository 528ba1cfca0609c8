// A stream's FIFO. A beat can be read in the cycle after its writing, and its place be written in the cycle after its reading.
//
// STYLE: "registers" (DEPTH is 2), "distributed", "block" or "ultra"; in the latter two the two words in front lie in the memory's
// output registers, so that they hold one beat more.
// With FLOWC_STALLS, for simulation, both sides are held back at random: in so many of 100 cycles as +stalls=N says.
module flowc_fifo #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 2,
    parameter bit [95:0] STYLE = "registers"
) (
    input logic clk,
    input logic rst,
    input logic [WIDTH-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [WIDTH-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  logic room, present;
`ifdef FLOWC_STALLS
  int stalls = 0;
  logic hold_in = 1'b0, hold_out = 1'b0;
  initial if (!$value$plusargs("stalls=%d", stalls)) stalls = 0;
  always_ff @(posedge clk)
    if (stalls != 0) begin
      hold_in <= int'($urandom_range(99)) < stalls;
      hold_out <= !(out_valid && !out_ready) && int'($urandom_range(99)) < stalls;
    end
  assign in_ready = room && !hold_in;
  assign out_valid = present && !hold_out;
`else
  assign in_ready = room;
  assign out_valid = present;
`endif
  wire write = in_valid && in_ready;
  wire read = out_valid && out_ready;

  if (STYLE == "registers") begin : g_registers
    logic [WIDTH-1:0] spare;
    logic spare_full;
    assign room = !spare_full;
    wire load = !present || read;
    always_ff @(posedge clk) begin
      if (!spare_full) spare <= in_data;
      if (load) out_data <= spare_full ? spare : in_data;
    end
    always_ff @(posedge clk)
      if (rst) begin
        present <= 1'b0;
        spare_full <= 1'b0;
      end else if (load) begin
        present <= spare_full || write;
        spare_full <= 1'b0;
      end else if (!spare_full) begin
        spare_full <= write;
      end
  end else begin : g_memory
    localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam int CW = $clog2(DEPTH + 1);
    localparam int MOST = STYLE == "distributed" || DEPTH == 1 ? DEPTH : DEPTH - 1;
    logic [AW-1:0] write_at, read_at;
    // Words in the memory. Whether there is one and whether one more has room lies in registers: no comparison is in a stream's path.
    logic [CW-1:0] count;
    logic some, store, fetch, last_write, last_read;
    flowc_count #(.COUNT(DEPTH)) places (.clk, .rst, .step(store), .value(write_at), .last(last_write));
    flowc_count #(.COUNT(DEPTH)) words (.clk, .rst, .step(fetch), .value(read_at), .last(last_read));
    wire unused = &{1'b0, last_write, last_read};
    always_ff @(posedge clk)
      if (rst) begin
        count <= '0;
        some <= 1'b0;
        room <= 1'b1;
      end else begin
        count <= count + CW'(store) - CW'(fetch);
        if (store != fetch) begin
          some <= store || count != CW'(1);
          room <= fetch || count != CW'(MOST - 1);
        end
      end

    if (STYLE == "distributed") begin : g_distributed
      flowc_lutram #(.WIDTH(WIDTH), .DEPTH(DEPTH)) memory (.clk, .write(store), .write_at, .in_data, .read_at, .out_data);
      assign present = some;
      assign store = write;
      assign fetch = read;
    end else begin : g_block
      // The two words in front: the memory's output and the register behind it. Beside each lies one that takes a word straight from
      // the input, where the memory holds none.
      logic [WIDTH-1:0] fetched, second, passed, first;
      logic second_present, second_passed, first_passed;
      wire load = !present || read;
      wire load_second = !second_present || load;
      wire straight = load && !second_present;
      assign fetch = load_second && some;
      assign store = write && !straight && !(load_second && !some);
      assign out_data = first_passed ? passed : first;
      always_ff @(posedge clk) begin
        if (load) begin
          first <= fetched;
          first_passed <= !second_present || second_passed;
          passed <= second_present ? second : in_data;
        end
        if (load_second) begin
          second_passed <= !some;
          second <= in_data;
        end
      end
      always_ff @(posedge clk)
        if (rst) {present, second_present} <= '0;
        else begin
          if (load) present <= second_present || write;
          if (load_second) second_present <= some || (write && !straight);
        end
      flowc_ram #(.WIDTH(WIDTH), .DEPTH(DEPTH), .STYLE(STYLE)) memory (
          .clk, .write(store), .write_at, .in_data, .read(load_second), .read_at, .out_data(fetched));
    end
  end
endmodule
