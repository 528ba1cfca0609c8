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

  // Both accesses to the memory lie in one stage, so that their order is that of the cycles.
  logic [AW-1:0] from;
  logic [AW-1:0] to;
  logic store, valid_1, valid_2, at_half;
  logic [WIDTH-1:0] taken, found;
  flowc_rom #(.WIDTH(AW), .DEPTH(GIVEN), .FILE(ORDER), .STYLE(ORDER_STYLE)) order (
      .clk, .read(enable), .read_at(early ? OW'(place) : '0), .out_data(from));
  always_ff @(posedge clk)
    if (enable) begin
      to <= AW'(place);
      at_half <= half;
      taken <= in_data;
    end
  always_ff @(posedge clk)
    if (rst) {store, valid_1, valid_2} <= '0;
    else if (enable) {store, valid_1, valid_2} <= {fire && takes, fire && gives, valid_1};
  flowc_ram #(.WIDTH(WIDTH), .DEPTH(2 << AW), .STYLE(STYLE)) halves (
      .clk, .write(store && enable), .write_at({at_half, to}), .in_data(taken), .read(enable),
      .read_at({!at_half, from}), .out_data(found));
  flowc_emit #(.WIDTH(WIDTH), .DELAY(DELAY)) emit (
      .clk, .rst, .data(found), .valid(valid_2), .enable, .out_data, .out_valid, .out_ready);
endmodule
