// Reorders the elements of every chunk: the i-th of GIVEN that leave is the one of TAKEN that came as number ORDER[i]. An element
// per cycle; CHUNKS chunks a frame, and GAP idle cycles after each; a chunk leaves while the next one comes.
module flowc_permute #(
    parameter int WIDTH = 4,
    parameter int CHUNKS = 1,
    parameter int TAKEN = 4,
    parameter int GIVEN = 4,
    parameter int GAP = 0,
    parameter ORDER = "",
    parameter bit [95:0] STYLE = "distributed",
    parameter bit [95:0] ORDER_STYLE = "logic",
    parameter int DELAY = 0
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
  localparam int AW = TAKEN > 1 ? $clog2(TAKEN) : 1;
  localparam int PLACES = (TAKEN > GIVEN ? TAKEN : GIVEN) + GAP;
  localparam int PW = PLACES > 1 ? $clog2(PLACES) : 1;
  localparam int CW = $clog2(CHUNKS + 1);
  localparam int OW = GIVEN > 1 ? $clog2(GIVEN) : 1;
  logic enable, last_place, last_chunk, half;
  logic [PW-1:0] place;
  logic [CW-1:0] chunk;
  wire takes = (PLACES == TAKEN || 32'(place) < TAKEN) && !last_chunk;
  wire early = PLACES == GIVEN || 32'(place) < GIVEN;
  wire gives = early && chunk != '0;
  wire fire = enable && (!takes || in_valid);
  assign in_ready = enable && takes;
  flowc_count #(.COUNT(PLACES)) places (.clk, .rst, .step(fire), .value(place), .last(last_place));
  flowc_count #(.COUNT(CHUNKS + 1)) chunks (.clk, .rst, .step(fire && last_place), .value(chunk), .last(last_chunk));
  always_ff @(posedge clk)
    if (rst) half <= 1'b0;
    else if (fire && last_place) half <= !half;

  // Both accesses to the memory lie in one stage, so that their order is that of the cycles. Behind each memory lies a register.
  logic [AW-1:0] ordered, from;
  logic [AW-1:0] to[2];
  logic [1:0] stores, half_at;
  logic [3:0] valids;
  logic [WIDTH-1:0] taken[2], found, data;
  flowc_rom #(.WIDTH(AW), .DEPTH(GIVEN), .FILE(ORDER), .STYLE(ORDER_STYLE)) order (
      .clk, .read(enable), .read_at(early ? OW'(place) : '0), .out_data(ordered));
  always_ff @(posedge clk)
    if (enable) begin
      from <= ordered;
      to <= '{AW'(place), to[0]};
      half_at <= {half_at[0], half};
      taken <= '{in_data, taken[0]};
      data <= found;
    end
  always_ff @(posedge clk)
    if (rst) {stores, valids} <= '0;
    else if (enable) {stores, valids} <= {stores[0], fire && takes, valids[2:0], fire && gives};
  flowc_ram #(.WIDTH(WIDTH), .DEPTH(2 << AW), .STYLE(STYLE)) halves (
      .clk, .write(stores[1] && enable), .write_at({half_at[1], to[1]}), .in_data(taken[1]), .read(enable),
      .read_at({!half_at[1], from}), .out_data(found));
  flowc_emit #(.WIDTH(WIDTH), .DELAY(DELAY)) emit (
      .clk, .rst, .data, .valid(valids[3]), .enable, .out_data, .out_valid, .out_ready);
endmodule
